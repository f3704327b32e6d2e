// How long a single query takes while a bulk job of many documents runs, in passes of the bulk job.
// Usage: node server/priority.mjs [--model FILE] [--threads N] [--documents N] [--words N] [--seconds N]
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { physicalCores } from '../machine.mjs'
import { modelFor, modelOptions } from '../models.mjs'
import { post, quantile, started, text } from './started.mjs'

const { values } = parseArgs({
  options: {
    ...modelOptions,
    threads: { type: 'string', default: `${physicalCores()}` },
    documents: { type: 'string', default: '10000' },
    words: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '60' },
  },
})
const { path } = modelFor('embed', values)
const server = await started('ours', path, values.threads)
const query = (i) => post(server.url, { input: text(i, 10) }).then((answer) => answer.json())
await query(0)
const alone = await timed(20, Number.POSITIVE_INFINITY)

const stop = new AbortController()
const count = Number(values.documents)
const requests = Array.from({ length: Math.ceil(count / 2000) }, (_, part) => {
  const texts = Math.min(2000, count - part * 2000)
  const input = Array.from({ length: texts }, (_, i) => text(part * 2000 + i, Number(values.words)))
  return post(server.url, { input, encoding_format: 'base64' }, stop.signal)
})
let isRunning = true
const bulk = Promise.allSettled(requests).then(() => {
  isRunning = false
})
await sleep(1000)
const start = await passes()
await sleep(1000 * Number(values.seconds) * 0.4)
const before = await passes()
const until = performance.now() + 1000 * Number(values.seconds)
const beside = await timed(Number.POSITIVE_INFINITY, until)
const after = await passes()
const wasRunning = isRunning
stop.abort()
await bulk
server.end()

const bulkPass = (1000 * (before.seconds - start.seconds)) / (before.packs - start.packs)
const bulkPasses = after.packs - before.packs - beside.length
const p95 = quantile(beside, 0.95)
console.log(`| | queries | p50 ms | p95 ms | p99 ms |\n| --- | ---: | ---: | ---: | ---: |`)
for (const [name, times] of [
  ['alone', alone],
  [`while ${count} documents are embedded`, beside],
]) {
  const figures = [0.5, 0.95, 0.99].map((share) => quantile(times, share).toFixed(1))
  console.log(`| ${name} | ${times.length} | ${figures.join(' | ')} |`)
}
console.log(
  `\nA pass of the bulk job took ${bulkPass.toFixed(1)} ms before the queries began; ${bulkPasses} ended beside them.`,
)
console.log(`p95 is ${(p95 / bulkPass).toFixed(2)} passes of the bulk job.`)
if (!wasRunning) console.log('The bulk job ended before the time.')

async function timed(most, until) {
  const times = []
  while (
    times.length < most &&
    performance.now() < until &&
    (until === Number.POSITIVE_INFINITY || isRunning)
  ) {
    const start = performance.now()
    await query(times.length)
    times.push(performance.now() - start)
    await sleep(20)
  }
  return times
}

async function passes() {
  const metrics = await (await fetch(`${server.url}/metrics`)).text()
  const sum = (name) => {
    const samples = metrics.split('\n').filter((line) => line.startsWith(`${name}{`))
    return samples.reduce((total, line) => total + Number(line.split(' ').at(-1)), 0)
  }
  return {
    packs: sum('qwen3_embed_packs_total'),
    seconds: sum('qwen3_embed_pass_seconds_total'),
  }
}
