import type { Command } from '../command.ts'
import { Misuse } from '../misuse.ts'
import { finishCommand } from './finish.ts'
import { planCommand } from './plan.ts'
import { statusCommand } from './status.ts'
import { workCommand } from './work.ts'

const members = [planCommand, workCommand, statusCommand, finishCommand]

export const fleet: Command = {
  name: 'fleet',
  summary: 'embed more than one machine can: plan, work on many, finish',
  usage: ['plan|work|status|finish …'],
  about: [
    'plan cuts files of records into shards; workers on any number of machines that see one place embed them, each shard once ' +
      'for good; finish checks that all are there. Workers may be killed at any moment.',
    'Shards come from a queue (--queue, Redis or NATS) or by the number that Kubernetes, Slurm or AWS Batch give a worker.',
  ],
  options: {},
  examples: members.map(({ examples }) => examples[0]!),
  members,
  async run() {
    throw new Misuse('Expected one of plan, work, status, finish after fleet')
  },
}
