import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { Embedder, Reranker, similarity } from 'qwen3-embed'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KnownVectors } from '../lib/integrations/known-vectors.ts'
import { fixture } from './fixtures/models.ts'
import { documents } from './fixtures/sentences.ts'

const command = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
const root = mkdtempSync(join(tmpdir(), 'qwen3-embed-mcp-'))
const transport = new StdioClientTransport({
  command: process.execPath,
  args: [command, 'mcp', '--quiet', '--root', root, '--reranker', fixture('rerank')],
  stderr: 'ignore',
})
const client = new Client({ name: 'test', version: '1.0.0' })

interface Result {
  score: number
  text: string
  index?: number
  file?: string
  line?: number
}

async function call(name: string, given: Record<string, unknown>, options = {}) {
  const { content, structuredContent, isError } = await client.callTool(
    { name, arguments: given },
    options,
  )
  const [first] = content as { text: string }[]
  const { results } = (structuredContent ?? {}) as { results: Result[] }
  return { isError: isError === true, text: first!.text, results }
}

beforeAll(async () => {
  mkdirSync(join(root, 'notes', '.hidden'), { recursive: true })
  writeFileSync(join(root, 'notes', 'long.md'), `# Notes\n\n${'A line about bees.\n'.repeat(120)}`)
  writeFileSync(join(root, 'notes', 'places.txt'), '\n\nBerlin is the capital of Germany.\n')
  writeFileSync(join(root, 'notes', '.hidden', 'secret.txt'), 'Berlin is the capital of Germany.')
  writeFileSync(join(root, 'picture.bin'), Buffer.from([1, 0, 2]))
  symlinkSync(tmpdir(), join(root, 'outside'))
  await client.connect(transport)
})
afterAll(async () => {
  await client.close()
  rmSync(root, { recursive: true })
})

describe('search', () => {
  it('finds among given texts what the library finds', async () => {
    const { results, text } = await call('search', {
      query: 'German capital',
      texts: documents,
      top: 3,
    })
    const embedder = await Embedder.load('mini')
    const query = await embedder.embedQuery('German capital')
    const vectors = await embedder.embedDocuments(documents)
    const expected = vectors
      .map((vector, index) => ({ score: similarity(query, vector), text: documents[index], index }))
      .sort((a, b) => b.score - a.score)
      .slice(0, 3)
    expect(results).toEqual(expected)
    expect(JSON.parse(text)).toEqual(results)
    await embedder.close()
  })

  it('finds passages of files, with their lines', async () => {
    const { results } = await call('search', { query: 'German capital', files: ['notes'] })
    expect(results[0]).toMatchObject({ file: join('notes', 'places.txt'), line: 3 })
    expect(results.map(({ file }) => file)).not.toContain(join('notes', '.hidden', 'secret.txt'))
    const lines = results.filter(({ file }) => file?.endsWith('long.md')).map(({ line }) => line!)
    expect(lines.length).toBeGreaterThan(1)
    expect(Math.min(...lines)).toBe(1)
    expect(new Set(lines).size).toBe(lines.length)
  })

  it('reads nothing outside its folder, and no binary file', async () => {
    for (const file of ['../', '/etc/passwd', 'outside', 'missing.txt']) {
      const { isError, text } = await call('search', { query: 'q', files: [file] })
      expect({ isError, text }).toEqual({
        isError: true,
        text: expect.stringContaining(`no ${file} below`),
      })
    }
    expect((await call('search', { query: 'q', files: ['picture.bin'] })).text).toContain('no text')
    expect((await call('search', { query: 'q' })).text).toContain('Expected texts or files')
  })

  it('tells how far it is, and ends when asked', async () => {
    const texts = Array.from({ length: 4_000 }, (_, i) => `text ${i} ${'and more '.repeat(20)}`)
    const seen: number[] = []
    const leave = new AbortController()
    const onprogress = ({ progress }: { progress: number }) => {
      seen.push(progress)
      leave.abort()
    }
    const started = Date.now()
    const pending = call('search', { query: 'q', texts }, { onprogress, signal: leave.signal })
    await expect(pending).rejects.toThrow()
    expect(seen.length).toBeGreaterThan(0)
    // The server gave up too: it is free for the next.
    await call('search', { query: 'q', texts: ['a'] })
    expect(Date.now() - started).toBeLessThan(8_000)
  })
})

describe('rerank', () => {
  it('orders documents as the library does', async () => {
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toEqual(['search', 'rerank'])
    const { results } = await call('rerank', { query: 'a query', documents, top: 2 })
    const reranker = await Reranker.load(fixture('rerank'))
    const ranked = await reranker.rank('a query', documents, { topN: 2 })
    expect(results).toEqual(ranked.map((one) => ({ ...one, text: documents[one.index] })))
    await reranker.close()
  })

  it('refuses arguments it does not know', async () => {
    await expect(
      call('rerank', { query: 'q', documents, limit: 2 }).then(({ isError, text }) => {
        if (isError) throw new Error(text)
      }),
    ).rejects.toThrow(/limit|additional/)
  })
})

it('has an example that runs', () => {
  const args = ['examples/mcp.js', fixture('rerank')]
  const lines = execFileSync(process.execPath, args, { encoding: 'utf8' }).split('\n')
  expect(lines[0]).toBe('search, rerank')
  expect(lines[1]).toContain('electron.md')
  expect(lines.filter((line) => line.startsWith('reranked'))).toHaveLength(3)
})

it('vectors that are known keep no more memory than their own', async () => {
  const embedder = await Embedder.load('mini')
  const known = new KnownVectors()
  const vectors = await known.of(embedder as never, ['a', 'b', 'a'], {})
  expect(vectors[2]).toBe(vectors[0])
  for (const one of vectors) expect(one.buffer.byteLength).toBe(one.byteLength)
  await embedder.close()
})
