// How late a 10 ms timer of the JS thread is, at worst, while a model loads and while a long job runs.
import { parseArgs } from 'node:util'
import { inFreshProcess } from './fresh-process.mjs'
import { circumstances, physicalCores } from './machine.mjs'
import { modelFor, modelOptions } from './models.mjs'
import { heading, table } from './table.mjs'
import { trialNamed } from './trials.mjs'

const goal = 50
const { values: options } = parseArgs({
  options: {
    ...modelOptions,
    only: { type: 'string', default: 'queries,passages,rerank' },
    contenders: { type: 'string', default: 'ours,node-llama-cpp' },
    threads: { type: 'string', default: String(physicalCores()) },
  },
})
const threads = Number(options.threads)
const about = circumstances()
const rows = []
for (const trial of options.only.split(',').map(trialNamed)) {
  const { path } = modelFor(trial.task, options)
  for (const contender of options.contenders.split(',')) {
    const job = { trial: trial.name, contender, path, threads, watch: true }
    const { lateIdle, lateLoading, lateRunning } = await inFreshProcess(job)
    const phases = [lateIdle, lateLoading, lateRunning]
    const cells = phases.map(({ late, own }) => `${late.toFixed(1)} (${own.toFixed(1)})`)
    rows.push([trial.name, contender, ...cells, verdict(phases.map(({ late }) => late))])
  }
}

console.log(heading(about))
console.log(`Worst lateness of a 10 ms timer in ms; the goal is at most ${goal}.`)
console.log('In brackets: without the time the JS thread was ready but had no core.\n')
console.log(table(['trial', 'contender', 'idle', 'loading', 'running', 'goal'], rows))

// A machine that wakes even an idle process late says nothing of the library.
function verdict([idle, ...rest]) {
  if (Math.max(...rest) <= goal) return 'met'
  return idle > goal ? 'unknown: the machine is late itself' : 'missed'
}
