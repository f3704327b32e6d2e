// Rows a second of 1, 2 and 4 workers, one thread each, against one process that embeds the same texts in one call after
// another and does nothing else. Fresh processes, medians of rounds; loading is not counted.
//
//   node bench/fleet/throughput.mjs [--model mini] [--shards 24 --rows 250 --words 60 --rounds 3] [--times FILE]
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Embedder } from '../../dist/index.js'
import { plan, readJob, StaticSource, work } from '../../dist/fleet/index.js'

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'mini' },
    shards: { type: 'string', default: '24' },
    rows: { type: 'string', default: '250' },
    words: { type: 'string', default: '60' },
    rounds: { type: 'string', default: '3' },
    workers: { type: 'string', default: '1,2,4' },
    times: { type: 'string' },
    as: { type: 'string' },
    out: { type: 'string' },
  },
})

/** As the fleet's: 16 KiB of records, two in flight. */
async function alone(isEmpty) {
  const embedder = await Embedder.load(values.model, { threads: 1 })
  const whole = readFileSync(join(values.out, '..', 'input.jsonl'), 'utf8').split('\n')
  const records = isEmpty ? [] : whole
  await embedder.warm()
  const from = Date.now()
  const flights = []
  let batch = []
  let bytes = 0
  const send = async () => {
    flights.push(embedder.embedEach(batch, { role: 'document', priority: 'bulk' }))
    batch = []
    bytes = 0
    if (flights.length >= 2) await flights.shift()
  }
  for (const record of records) {
    batch.push(JSON.parse(record).text)
    bytes += record.length
    if (bytes >= 16_384) await send()
  }
  if (batch.length > 0) await send()
  await Promise.all(flights)
  const told = { from, to: Date.now(), rows: records.length }
  await embedder.close()
  return told
}

async function worker(index, count) {
  const source = new StaticSource({ index, count })
  const job = await readJob(values.out)
  await source.enqueue(job.shards.map(({ id }) => id))
  let from
  let to
  const claim = source.claim.bind(source)
  source.claim = (signal) => {
    from ??= Date.now()
    return claim(signal)
  }
  const onShard = ({ error }) => {
    if (error) throw error
    to = Date.now()
  }
  const { rows } = await work({
    out: values.out,
    source,
    model: values.model,
    load: { threads: 1 },
    onShard,
  })
  return { from, to, rows }
}

if (values.as) {
  const [kind, index, count] = values.as.split('/')
  const told =
    kind === 'alone' ? await alone(index === 'empty') : await worker(Number(index), Number(count))
  console.log(JSON.stringify(told))
  process.exit()
}

const folder = mkdtempSync(join(tmpdir(), 'fleet-throughput-'))
const [shards, perShard, words] = [values.shards, values.rows, values.words].map(Number)
const vocabulary =
  'the wind took our tents and seven lights went out over a harbour that nobody named'.split(' ')
const line = (i) => {
  const text = Array.from(
    { length: words },
    (_, j) => vocabulary[(i * 7 + j * j) % vocabulary.length],
  )
  return JSON.stringify({ id: i, text: `${i} ${text.join(' ')}` })
}
const lines = Array.from({ length: shards * perShard }, (_, i) => line(i))
const input = join(folder, 'input.jsonl')
writeFileSync(input, lines.join('\n'))

/** With the CPU time of the process and all that it started. */
function run(as, out) {
  const args = [fileURLToPath(import.meta.url), '--model', values.model, '--as', as, '--out', out]
  const words = ['-c', '"$@"; times >&2', 'bash', process.execPath, ...args]
  const child = spawn('bash', words, { stdio: ['ignore', 'pipe', 'pipe'] })
  let [said, times] = ['', '']
  child.stdout.on('data', (data) => (said += data))
  child.stderr.on('data', (data) => (times += data))
  return new Promise((resolve, reject) =>
    child.once('close', () => {
      if (said === '') return reject(new Error(`${as}: ${times}`))
      const parts = [
        ...times
          .trimEnd()
          .split('\n')
          .at(-1)
          .matchAll(/(\d+)m([\d.]+)s/g),
      ]
      const cpu = parts.reduce(
        (sum, [, minutes, seconds]) => sum + 60 * minutes + Number(seconds),
        0,
      )
      return resolve({ ...JSON.parse(said), cpu })
    }),
  )
}

async function planned(name) {
  const embedder = await Embedder.load(values.model, { threads: 1 })
  const out = join(folder, name)
  const shardBytes = Math.ceil(lines.join('\n').length / shards)
  await plan({ inputs: [input], out, model: values.model, embedder, shardBytes })
  await embedder.close()
  return out
}

const median = (some) => some.toSorted((a, b) => a - b)[some.length >> 1]
const rates = {}
/** CPU milliseconds a row, start and loading taken off by runs that embed nothing. */
const cpu = {}
const counts = values.workers.split(',').map(Number)
for (let round = 0; round < Number(values.rounds); round++) {
  for (const count of [0, ...counts]) {
    const out = await planned(`${round}-${count}`)
    const started =
      count === 0
        ? [run('alone', out)]
        : Array.from({ length: count }, (_, i) => run(`worker/${i}/${count}`, out))
    const told = await Promise.all(started)
    const seconds =
      (Math.max(...told.map(({ to }) => to)) - Math.min(...told.map(({ from }) => from))) / 1000
    const rows = told.reduce((sum, one) => sum + one.rows, 0)
    if (count <= 1) {
      const empty = await run(count === 0 ? 'alone/empty' : 'worker/999999/1000000', out)
      cpu[count] = [...(cpu[count] ?? []), ((told[0].cpu - empty.cpu) / rows) * 1000]
    }
    rates[count] = [...(rates[count] ?? []), rows / seconds]
    if (values.times && count === 1) {
      const ms = readdirSync(join(out, 'receipts')).map(
        (name) => JSON.parse(readFileSync(join(out, 'receipts', name), 'utf8')).ms,
      )
      const mean = ms.reduce((sum, one) => sum + one, 0) / ms.length
      writeFileSync(
        values.times,
        `${JSON.stringify({ of: values, relative: ms.map((one) => Number((one / mean).toFixed(3))) })}\n`,
      )
    }
    rmSync(out, { recursive: true })
  }
}
const base = median(rates[0])
for (const [count, all] of Object.entries(rates)) {
  const rate = median(all)
  const name =
    count === '0' ? 'one process, no fleet' : `${count} worker${count === '1' ? '' : 's'}`
  console.log(
    `${name}: ${rate.toFixed(1)} rows/s (${all.map((one) => one.toFixed(1)).join(', ')}), ${(rate / base).toFixed(3)} of one process`,
  )
}
const [bare, fleet] = [median(cpu[0]), median(cpu[1] ?? [Number.NaN])]
console.log(
  `CPU a row: ${bare.toFixed(3)} ms, of a worker ${fleet.toFixed(3)} ms: ${((fleet / bare - 1) * 100).toFixed(1)} %`,
)
rmSync(folder, { recursive: true, force: true })
