import { metricsText, status } from '../../fleet/index.ts'
import type { Command } from '../command.ts'
import { bytes, count, counted } from '../numbers.ts'
import { print, printJson } from '../print.ts'
import { outOf, queueOf, queueOption } from './source.ts'

export const statusCommand: Command = {
  name: 'fleet status',
  summary: 'how far a job is, by its receipts',
  usage: ['FOLDER [OPTIONS]'],
  about: [
    'With --metrics as gauges for Prometheus: into a file of the node exporter, or to a push gateway. ' +
      'qwen3_embed_fleet_shards_left is what autoscalers need.',
  ],
  options: {
    ...queueOption,
    json: { help: 'as JSON' },
    metrics: { help: "in Prometheus' text form" },
  },
  examples: [['qwen3-embed fleet status job', 'shards done and missing']],

  async run(args) {
    const out = outOf(args)
    const source = await queueOf(args, out)
    const found = await status(out, source).finally(() => source?.close())
    if (args.has('json')) {
      await printJson(found)
      return true
    }
    if (args.has('metrics')) {
      await print(metricsText(found))
      return true
    }
    const { done, planned, kernels, queue } = found
    await print(
      `${[
        `job ${found.job}${found.finished ? ', finished' : ''}`,
        `${count(done.shards)} of ${counted(planned.shards, 'shard')}, ${count(done.rows)} of ${counted(planned.rows, 'row')}`,
        `${counted(done.tokens, 'token')}, ${counted(done.failed, 'row')} with an error, ${bytes(done.bytes)}`,
        ...(kernels.length > 0 ? [`kernels: ${kernels.join(', ')}`] : []),
        ...(queue
          ? [
              `queue: ${queue.waiting} waiting, ${queue.running} running, ${queue.done} done, ${queue.failed} failed`,
            ]
          : []),
      ].join('\n')}\n`,
    )
    return true
  },
}
