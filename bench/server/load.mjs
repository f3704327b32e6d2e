// Requests a second and how long each takes, at 1, 8 and 64 connections, beside node-llama-cpp behind
// the thinnest server, and llama.cpp's own server where LLAMA_SERVER names its binary.
// Usage: node server/load.mjs [--model FILE] [--threads N] [--seconds N] [--words N] [--only NAME]
import { parseArgs } from 'node:util'
import autocannon from 'autocannon'
import { physicalCores } from '../machine.mjs'
import { modelFor, modelOptions } from '../models.mjs'
import { post, quantile, started, text } from './started.mjs'

const { values } = parseArgs({
  options: {
    ...modelOptions,
    threads: { type: 'string', default: `${physicalCores()}` },
    seconds: { type: 'string', default: '10' },
    words: { type: 'string', default: '10' },
    only: { type: 'string' },
  },
})
const { path } = modelFor('embed', values)
const words = Number(values.words)
const contenders = values.only
  ? values.only.split(',')
  : ['ours', 'node-llama-cpp', ...(process.env.LLAMA_SERVER ? ['llama-server'] : [])]

console.log('| server | connections | requests/s | p50 ms | p95 ms | p99 ms | errors |')
console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: |')
for (const connections of [1, 8, 64]) {
  for (const name of contenders) {
    const server = await started(name, path, values.threads)
    await Promise.all([1, 2, 3, 4].map((i) => post(server.url, { input: text(i, words) })))
    let index = 0
    const times = []
    const run = autocannon({
      url: `${server.url}/v1/embeddings`,
      connections,
      duration: Number(values.seconds),
      timeout: 60,
      requests: [
        {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          // No answer can come from a memory of an earlier one.
          setupRequest: (request) => ({
            ...request,
            body: JSON.stringify({
              model: 'model',
              encoding_format: 'float',
              input: text(index++, words),
            }),
          }),
        },
      ],
    })
    run.on('response', (_client, _status, _bytes, milliseconds) => times.push(milliseconds))
    const { requests, duration, errors, non2xx } = await run
    server.end()
    const cells = [
      name,
      connections,
      (requests.total / duration).toFixed(1),
      ...[0.5, 0.95, 0.99].map((share) => quantile(times, share).toFixed(1)),
      errors + non2xx,
    ]
    console.log(`| ${cells.join(' | ')} |`)
  }
}
