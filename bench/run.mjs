// Every trial by every contender, each time in a fresh process; see README.md.
import { parseArgs } from 'node:util'
import { inFreshProcess } from './fresh-process.mjs'
import { circumstances, physicalCores } from './machine.mjs'
import { modelFor, modelOptions, weightsNamed } from './models.mjs'
import { sum } from './statistics.mjs'
import { summarise } from './summary.mjs'
import { figure, heading, megabytes, table } from './table.mjs'
import { trialNamed, trials } from './trials.mjs'

// `transformers-js`, `onnxruntime` and `llama-server` need files of their own and are asked for by name.
const known = ['node-llama-cpp', 'node-llama-cpp-pool', 'ours', 'ours-ggml', 'ours-generic']
const { values: options } = parseArgs({
  options: {
    ...modelOptions,
    only: { type: 'string' },
    contenders: { type: 'string', default: known.join() },
    threads: { type: 'string', default: String(physicalCores()) },
    rounds: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
  },
})
const rounds = Number(options.rounds)
const contenders = options.contenders.split(',')
const chosen = options.only
  ? options.only.split(',').map(trialNamed)
  : trials.filter((trial) => !trial.onDemand)

const about = {
  ...circumstances(),
  weights: weightsNamed(options),
  threads: Number(options.threads),
  rounds,
}
const rows = []
for (const trial of chosen) rows.push(...(await compete(trial)))
console.log(options.json ? JSON.stringify({ ...about, rows }, null, 2) : report())

/** @param {import('./trials.mjs').Trial} trial */
async function compete(trial) {
  const { path } = modelFor(trial.task, options)
  const measured = new Map()
  const failed = new Map()
  for (let round = 1; round <= rounds; round++) {
    // Neighbours take turns in going first, so that a machine that slows down favours none.
    const order = round % 2 ? contenders : contenders.toReversed()
    for (const contender of order.filter((name) => !failed.has(name))) {
      try {
        const job = { trial: trial.name, contender, path, threads: about.threads }
        const one = await inFreshProcess(job)
        measured.set(contender, [...(measured.get(contender) ?? []), one])
        console.error(`${trial.name}, ${contender}, round ${round}: ${told(one)}`)
      } catch (error) {
        measured.delete(contender)
        failed.set(contender, error)
        console.error(`${trial.name}, ${contender}, round ${round}: ${error.message}`)
      }
    }
  }
  return summarise(trial, measured, failed, options.type)
}

function told({ seconds, tokens, cores, peak }) {
  const each = seconds.map(figure).join(', ')
  return `${each} s for ${sum(tokens)} tokens on ${cores.toFixed(1)} cores, ${megabytes(peak)} MB`
}

function report() {
  return [
    heading(about),
    `Medians of ${rounds} fresh processes, ${about.threads} threads; ${about.weights}.`,
    '',
    table(
      [
        'trial',
        'contender',
        'tokens/s',
        'texts/s',
        'seconds',
        'fastest–slowest',
        'peak MB',
        '× node-llama-cpp',
        'same answers',
      ],
      rows.map(throughput),
    ),
    ...latencies(),
    '',
    ...new Set(rows.filter(({ facts }) => facts).map((row) => `* ${row.contender}: ${row.facts}`)),
  ].join('\n')
}

function throughput(row) {
  if (row.failed) return [row.trial, row.contender, `failed: ${row.failed}`, ...Array(6).fill('')]
  return [
    row.trial,
    row.contender,
    figure(row.tokensPerSecond),
    figure(row.textsPerSecond),
    figure(row.seconds),
    `${figure(row.fastest)}–${figure(row.slowest)}`,
    megabytes(row.peak),
    row.ratio === undefined ? '' : row.agrees ? `${row.ratio.toFixed(2)}×` : 'invalid',
    row.text ?? '',
  ]
}

function latencies() {
  const timed = rows.filter(({ p50 }) => p50 !== undefined)
  if (!timed.length) return []
  const cells = timed.map((row) => [row.trial, row.contender, figure(row.p50), figure(row.p95)])
  return ['', table(['one by one', 'contender', 'median ms', 'p95 ms'], cells)]
}
