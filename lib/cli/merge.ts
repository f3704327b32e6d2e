import { type MergeOptions, merge as join, searchMerge } from '../merge/index.ts'
import { type Arguments, given } from './arguments.ts'
import { type Command, remark, type Session } from './command.ts'
import { adaptersOf, loadOptions } from './load.ts'
import { Misuse } from './misuse.ts'
import { print } from './print.ts'
import { Progress } from './progress.ts'

const methods = ['slerp', 'linear', 'task', 'ties', 'multi-slerp'] as const

export const merge: Command = {
  name: 'merge',
  summary: 'models into one, or an adapter into its model',
  usage: ['MODEL MODEL… -o FILE [OPTIONS]', 'MODEL --adapter FILE -o FILE [OPTIONS]'],
  about: [
    'Checkpoints of one model become one: slerp goes from the first to the second on the sphere (as mergekit), linear, ' +
      'task and ties add, multi-slerp takes more than two. Files are read and written a few megabytes at a time.',
    'Quantised weights stand on a grid, and small changes round back to where they were. How much of the change is kept ' +
      'is measured; below half the file is not written, unless --lossy. F16, the default, keeps all.',
  ],
  options: {
    output: { value: 'FILE', short: 'o', help: 'the merged model' },
    ...(loadOptions.adapter ? { adapter: loadOptions.adapter } : {}),
    method: { value: 'NAME', choices: methods, help: 'default: slerp of two, multi-slerp of more' },
    t: { value: 'X,…', help: 'of slerp, 0 to 1; a list is spread over the layers; default: 0.5' },
    weights: { value: 'X,…', help: 'of each model; default: 1' },
    lambda: { value: 'X', help: 'of task and ties: how much of the change; default: 1' },
    density: { value: 'X', help: 'of ties: the part of the changes that is kept; default: 0.5' },
    to: { value: 'TYPE', help: 'same, f32, f16, bf16, q8_0, q6_K, …; default: f16' },
    lossy: { help: 'write also where most of the change is lost' },
    search: { value: 'DATASET', help: 'try several t of slerp, and keep the best if it is better' },
  },
  examples: [
    ['qwen3-embed merge base-f16.gguf --adapter mine.gguf -o mine-f16.gguf', 'an adapter'],
    ['qwen3-embed merge a-f16.gguf b-f16.gguf -t 0.3 -o ab.gguf', 'nearer to the first'],
  ],

  async run(args, session) {
    const output = args.text('output')
    if (args.positionals.length === 0) throw new Misuse('Expected models to merge')
    if (output === undefined) throw new Misuse('Expected --output FILE: where the model goes')
    const options = optionsOf(args, output, session)
    const progress = new Progress('merge', session)
    try {
      const dev = args.text('search')
      if (dev !== undefined) {
        const { method: _, t: __, adapter: ___, weights: ____, ...common } = options
        const found = await searchMerge({ ...common, dev })
        for (const { t, score } of found.scores) await print(`t ${t}: ${score.toFixed(4)}\n`)
        await print(found.merged ? `better: ${output}\n` : 'Not better than the better model.\n')
        return found.merged ? true : 3
      }
      const report = await join({ ...options, onProgress: progress.follow })
      progress.end()
      remark(
        session,
        `${report.tensors} tensors, ${report.changed} matrices changed` +
          (report.straight > 0 ? `, ${report.straight} along the line` : '') +
          `; kept of the change: ${share(report.meanKept)} in the mean, ${share(report.leastKept)} at least`,
      )
      if (report.meanKept < 0.9)
        remark(session, 'note: quantising lost part of the change; --to f16 keeps all of it')
      return true
    } finally {
      progress.end()
    }
  },
}

const share = (part: number) => `${(100 * part).toFixed(1)}%`

function optionsOf(args: Arguments, output: string, session: Session): MergeOptions {
  const adapter = adaptersOf(args)
  const options = {
    method: methods.find((one) => one === args.text('method')),
    t: list(args, 't'),
    weights: list(args, 'weights'),
    lambda: args.number('lambda', 0),
    density: args.number('density', 0, 1),
    to: args.text('to'),
    lossy: args.has('lossy') || undefined,
    adapter: adapter.length > 0 ? adapter : undefined,
  }
  return {
    ...(given(options) as Partial<MergeOptions>),
    models: args.positionals,
    output,
    signal: session.signal,
  }
}

function list(args: Arguments, name: string): number[] | undefined {
  const text = args.text(name)
  if (text === undefined) return undefined
  const values = text.split(',').map(Number)
  if (values.every(Number.isFinite)) return values
  throw new Misuse(`--${name} takes numbers with commas between them, not ${JSON.stringify(text)}`)
}
