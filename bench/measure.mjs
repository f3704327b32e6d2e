// One trial of one contender in a process of its own; fresh-process.mjs starts it and takes its result.
import { setTimeout as sleep } from 'node:timers/promises'
import { sum } from './statistics.mjs'
import { trialNamed } from './trials.mjs'
import { watchTimer } from './watch.mjs'

const job = JSON.parse(process.argv[2])
// Nobody is left to take the result.
process.on('disconnect', () => process.exit())
const trial = trialNamed(job.trial)
const { load } = await import(`./contenders/${job.contender}.mjs`)

const late = job.watch ? watchTimer() : () => undefined
if (job.watch) await sleep(1000)
const lateIdle = late()

const contender = await load({ trial, path: job.path, threads: job.threads })
const lateLoading = late()
await contender.run(
  trial.texts.length > 1 ? trial.texts.slice(0, 2) : [trial.texts[0].slice(0, 99)],
)
const loaded = peak()
late()

const cpuBefore = process.cpuUsage()
const seconds = []
const latencies = []
let results = []
for (let i = 0; i < trial.repeats; i++) {
  const start = performance.now()
  results = trial.oneByOne ? await oneByOne() : [await contender.run(trial.texts)]
  seconds.push((performance.now() - start) / 1000)
}
const lateRunning = late()
const { user, system } = process.cpuUsage(cpuBefore)
const cores = (user + system) / 1e6 / sum(seconds)

// Read before the answers are looked at, which is no part of the trial.
const memory = { loaded, peak: peak() }
const lateness = { lateIdle, lateLoading, lateRunning }
const tokens = []
for (const text of trial.texts) tokens.push(await contender.tokens(text))
const answers = results.flatMap((each) => contender.answers(each))
const { facts } = contender
process.send({ seconds, latencies, cores, ...memory, ...lateness, facts, tokens, answers }, () =>
  process.exit(),
)

async function oneByOne() {
  const all = []
  for (const text of trial.texts) {
    const start = performance.now()
    all.push(await contender.run([text]))
    latencies.push(performance.now() - start)
  }
  return all
}

function peak() {
  return process.resourceUsage().maxRSS * 1024
}
