// node examples/mcp.js [a Qwen3-Reranker GGUF]: what an agent does with `qwen3-embed mcp`
import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'

const root = fileURLToPath(new URL('..', import.meta.url))
const reranker = process.argv[2]
const client = new Client({ name: 'example', version: '1.0.0' })
await client.connect(
  new StdioClientTransport({
    command: process.execPath,
    args: [
      ...[`${root}dist/cli/main.js`, 'mcp', '--quiet', '--root', `${root}docs`],
      ...(reranker ? ['--reranker', reranker] : []),
    ],
    stderr: 'ignore',
  }),
)

const { tools } = await client.listTools()
console.log(tools.map(({ name }) => name).join(', '))

const query = 'how do I put it into an Electron app'
const found = await client.callTool({
  name: 'search',
  arguments: { query, files: ['which.md', 'electron.md'], top: 3 },
})
const { results } = found.structuredContent
for (const { score, file, line } of results) console.log(score.toFixed(3), `${file}:${line}`)

if (reranker) {
  const documents = results.map(({ text }) => text)
  const ranked = await client.callTool({ name: 'rerank', arguments: { query, documents } })
  for (const { index, score } of ranked.structuredContent.results) {
    console.log('reranked', score.toFixed(3), `${results[index].file}:${results[index].line}`)
  }
}

await client.close()
