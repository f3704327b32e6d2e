// One input of 32,768 tokens: how long it takes, and what memory it needs beyond the weights.
import { parseArgs } from 'node:util'
import { inFreshProcess } from './fresh-process.mjs'
import { circumstances, physicalCores } from './machine.mjs'
import { modelFor, modelOptions } from './models.mjs'
import { sum } from './statistics.mjs'
import { figure, heading, megabytes, table } from './table.mjs'
import { trialNamed } from './trials.mjs'

const goal = 500
const { values: options } = parseArgs({
  options: {
    ...modelOptions,
    only: { type: 'string', default: 'longest' },
    contenders: { type: 'string', default: 'ours' },
    threads: { type: 'string', default: String(physicalCores()) },
  },
})
const about = circumstances()
const rows = []
for (const trial of options.only.split(',').map(trialNamed)) {
  const { path, size } = modelFor(trial.task, options)
  for (const contender of options.contenders.split(',')) {
    const job = { trial: trial.name, contender, path, threads: Number(options.threads) }
    const { seconds, tokens, loaded, peak } = await inFreshProcess(job)
    const bytes = [size, loaded, peak, peak - size].map(megabytes)
    const verdict = bytes.at(-1) < goal ? 'met' : 'missed'
    rows.push([trial.name, contender, sum(tokens), figure(seconds[0]), ...bytes, verdict])
  }
}

console.log(heading(about))
console.log(
  `Memory in MB. The goal is less than ${goal} beyond the file, whose pages count as resident.\n`,
)
const memory = ['file', 'after loading', 'peak', 'peak − file']
console.log(table(['trial', 'contender', 'tokens', 'seconds', ...memory, 'goal'], rows))
