// Memory of a server over many requests of every kind; it should be flat after the first thousands.
// Usage: node server/memory.mjs [--model NAME] [--requests N]
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { started, text } from './started.mjs'

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'mini' },
    requests: { type: 'string', default: '100000' },
  },
})
const server = await started('ours', values.model, 2)
const kinds = [
  (i) => ['/v1/embeddings', { input: text(i, 10) }],
  (i) => ['/v1/embeddings', { input: [text(i, 5), text(i, 30)], encoding_format: 'base64' }],
  (i) => ['/embed', { inputs: text(i, 10), instruction: text(i, 3) }],
  (i) => ['/tokenize', { inputs: text(i, 10) }],
  () => ['/embed', { inputs: [] }],
  (i) => [`/${i}`, {}],
]
const total = Number(values.requests)
const step = total / 10

console.log('| requests | RSS MB | heap MB |\n| ---: | ---: | ---: |')
let sent = 0
for (let done = 0; done < total; done += step) {
  await Promise.all(Array.from({ length: 32 }, () => worker(done + step)))
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8')
  const rss = Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1024
  const metrics = await (await fetch(`${server.url}/metrics`)).text()
  const heap = Number(/nodejs_heap_size_used_bytes (\d+)/.exec(metrics)[1]) / 2 ** 20
  console.log(`| ${sent} | ${rss.toFixed(1)} | ${heap.toFixed(1)} |`)
}
server.end()

async function worker(until) {
  while (sent < until) {
    const i = sent++
    const [route, body] = kinds[i % kinds.length](i)
    const answer = await fetch(server.url + route, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    await answer.arrayBuffer()
  }
}
