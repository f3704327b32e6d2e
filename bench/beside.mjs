// What sharing the machine costs: a trial on its own, and beside a process that keeps every core busy.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { inFreshProcess } from './fresh-process.mjs'
import { circumstances, physicalCores } from './machine.mjs'
import { modelFor, modelOptions } from './models.mjs'
import { median } from './statistics.mjs'
import { figure, heading, table } from './table.mjs'
import { trialNamed } from './trials.mjs'

const goal = 3
const { values: options } = parseArgs({
  options: {
    ...modelOptions,
    only: { type: 'string', default: 'queries,passages,latency' },
    contenders: { type: 'string', default: 'ours,node-llama-cpp' },
    threads: { type: 'string', default: String(physicalCores()) },
    rounds: { type: 'string', default: '2' },
    patience: { type: 'string', default: '600' },
  },
})
const timeout = Number(options.patience) * 1000
const about = circumstances()
const rows = []
for (const trial of options.only.split(',').map(trialNamed)) {
  for (const contender of options.contenders.split(',')) rows.push(await shared(trial, contender))
}

console.log(heading(about))
console.log(`The goal is at most ${goal} times as long.\n`)
console.log(table(['trial', 'contender', 'quiet seconds', 'beside seconds', 'times', 'goal'], rows))

/** @param {import('./trials.mjs').Trial} trial @param {string} contender */
async function shared(trial, contender) {
  const { path } = modelFor(trial.task, options)
  const job = { trial: trial.name, contender, path, threads: Number(options.threads) }
  const quiet = []
  const beside = []
  for (let round = 0; round < Number(options.rounds); round++) {
    quiet.push(median((await inFreshProcess(job)).seconds))
    const ran = await besideCompetitor(() => inFreshProcess(job, { timeout }))
    if (!ran) {
      const unfinished = `unfinished after ${options.patience} s`
      return [trial.name, contender, figure(median(quiet)), unfinished, '', 'missed']
    }
    beside.push(median(ran.seconds))
    console.error(
      `${trial.name}, ${contender}: ${figure(quiet[round])}, ${figure(beside[round])} s`,
    )
  }
  const times = median(beside) / median(quiet)
  const verdict = times <= goal ? 'met' : 'missed'
  const seconds = [quiet, beside].map((all) => figure(median(all)))
  return [trial.name, contender, ...seconds, times.toFixed(2), verdict]
}

/** @returns What `run` gives, or null if its process was ended for taking too long. */
async function besideCompetitor(run) {
  const competitor = fork(fileURLToPath(new URL('competitor.mjs', import.meta.url)))
  try {
    await once(competitor, 'message')
    return await run()
  } catch (error) {
    if (error.message.endsWith('SIGKILL')) return null
    throw error
  } finally {
    competitor.kill()
  }
}
