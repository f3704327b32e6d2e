import { finish, type FinishOptions } from '../../fleet/index.ts'
import type { Command } from '../command.ts'
import { counted } from '../numbers.ts'
import { print, printJson } from '../print.ts'
import { Progress } from '../progress.ts'
import { outOf, queueOf, queueOption } from './source.ts'

const shownMissing = 20

export const finishCommand: Command = {
  name: 'fleet finish',
  summary: 'check that every shard is there, and say so in _SUCCESS',
  usage: ['FOLDER [OPTIONS]'],
  about: [
    'Believes the plan and the receipts, never a queue, and reads every file against its digest. Shards that are missing ' +
      'or damaged are named, and put into the queue again with --queue; then the exit code is 1. Once finished, it does ' +
      'nothing more.',
  ],
  options: {
    ...queueOption,
    check: {
      value: 'HOW',
      choices: ['digests', 'lengths'],
      help: 'digests reads all that was written; lengths believes files of the right length; default: digests',
    },
    json: { help: 'as JSON' },
  },
  examples: [['qwen3-embed fleet finish job', 'writes job/_SUCCESS with totals']],

  async run(args, session) {
    const out = outOf(args)
    const source = await queueOf(args, out)
    const check = args.text('check') as FinishOptions['check']
    const progress = new Progress('verify', session)
    const { signal } = session
    const { missing, damaged, totals, job } = await finish({
      out,
      source,
      check,
      signal,
      onProgress: progress.follow,
    }).finally(() => {
      progress.end()
      return source?.close()
    })
    if (args.has('json')) await printJson({ job, missing, damaged, totals })
    else if (totals)
      await print(
        `${counted(totals.shards, 'shard')}, ${counted(totals.rows, 'row')}, ${counted(totals.tokens, 'token')}, ` +
          `${counted(totals.failed, 'row')} with an error\n`,
      )
    else
      await print(
        `${counted(missing.length, 'shard')} missing${damaged.length > 0 ? ` (${damaged.length} of them were damaged)` : ''}: ${missing.slice(0, shownMissing).join(', ')}` +
          `${missing.length > shownMissing ? ' …' : ''}\n`,
      )
    return totals !== undefined
  },
}
