import { finish } from '../../fleet/index.ts'
import type { Command } from '../command.ts'
import { counted } from '../numbers.ts'
import { print, printJson } from '../print.ts'
import { outOf, queueOf, queueOption } from './source.ts'

const shownMissing = 20

export const finishCommand: Command = {
  name: 'fleet finish',
  summary: 'check that every shard is there, and say so in _SUCCESS',
  usage: ['FOLDER [OPTIONS]'],
  about: [
    'Believes the plan and the receipts, never a queue. Missing shards are named, and put into the queue again with --queue; then the exit code is 1. Once finished, ' +
      'it does nothing more.',
  ],
  options: { ...queueOption, json: { help: 'as JSON' } },
  examples: [['qwen3-embed fleet finish job', 'writes job/_SUCCESS with totals']],

  async run(args) {
    const out = outOf(args)
    const source = await queueOf(args, out)
    const { missing, totals, job } = await finish({ out, source }).finally(() => source?.close())
    if (args.has('json')) await printJson({ job, missing, totals })
    else if (totals)
      await print(
        `${counted(totals.shards, 'shard')}, ${counted(totals.rows, 'row')}, ${counted(totals.tokens, 'token')}, ` +
          `${counted(totals.failed, 'row')} with an error\n`,
      )
    else
      await print(
        `${counted(missing.length, 'shard')} missing: ${missing.slice(0, shownMissing).join(', ')}` +
          `${missing.length > shownMissing ? ' …' : ''}\n`,
      )
    return totals !== undefined
  },
}
