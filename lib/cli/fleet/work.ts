import { type Outcome, work } from '../../fleet/index.ts'
import { type Command, remark } from '../command.ts'
import { adaptersOf, loadOptions, readLoadOptions } from '../load.ts'
import { counted } from '../numbers.ts'
import { Progress } from '../progress.ts'
import { inShellWords } from '../remedies.ts'
import { leaseOptions, outOf, queueOf, queueOption, shareOptions, staticSource } from './source.ts'

export const workCommand: Command = {
  name: 'fleet work',
  summary: 'embed shards until none is left',
  usage: ['FOLDER [OPTIONS]'],
  about: [
    'A shard appears whole, with its receipt, or not at all: a worker may be killed at any moment, and two may make the ' +
      'same shard. A text that fails keeps its row, with its error; so does one that kills the process that computes.',
    'Exit code 1 if a shard failed. An input that changed after planning is ERR_INPUT_CHANGED, a shard that is there ' +
      'with other bytes ERR_SHARD_DIFFERS.',
  ],
  options: { ...queueOption, ...leaseOptions, ...shareOptions, ...loadOptions },
  examples: [
    ['qwen3-embed fleet work job --index 0 --count 3', 'the first of three workers'],
    ['qwen3-embed fleet work job --queue redis://queue:6379', 'whatever the queue has'],
  ],

  async run(args, session) {
    const out = outOf(args)
    const source = (await queueOf(args, out)) ?? (await staticSource(args, out))
    const progress = new Progress('shard', session)
    const onShard = ({ shard, state, receipt, error }: Outcome) => {
      if (error) process.stderr.write(`qwen3-embed: ${shard} failed: ${inShellWords(error)}\n`)
      else if (state === 'done')
        remark(session, `${shard}: ${counted(receipt!.rows, 'row')}, ${receipt!.failed} failed`)
      else if (state === 'lost') remark(session, `${shard}: another worker's now`)
    }
    try {
      const report = await work({
        out,
        source,
        model: args.text('model'),
        load: { ...readLoadOptions(args), adapter: adaptersOf(args) },
        onShard,
        signal: session.signal,
        onProgress: progress.follow,
      })
      progress.end(`${counted(report.done, 'shard')} done, ${counted(report.rows, 'row')}`)
      return report.failed === 0
    } finally {
      progress.end()
      await source.close()
    }
  },
}
