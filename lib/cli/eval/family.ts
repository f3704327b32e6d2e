import type { Command } from '../command.ts'
import { Misuse } from '../misuse.ts'
import { compareCommand } from './compare.ts'
import { planCommand } from './plan.ts'
import { pullCommand } from './pull.ts'
import { runCommand } from './run.ts'
import { scoreCommand } from './score.ts'

const members: readonly Command[] = [
  runCommand,
  compareCommand,
  scoreCommand,
  planCommand,
  pullCommand,
]

export const evaluation: Command = {
  name: 'eval',
  summary: 'which model, setting or adapter is better on your data?',
  usage: ['COMMAND [OPTIONS]'],
  about: [
    'qwen3-embed eval COMMAND --help shows the options and examples of each. docs/eval.md begins at the beginning.',
  ],
  options: {},
  examples: [
    ['qwen3-embed eval run handbook', 'the bundled model on the bundled questions, offline'],
    ['qwen3-embed eval run handbook -d 256,64 -o widths.json', 'two widths side by side'],
    ['qwen3-embed eval compare widths.json', 'is the difference more than chance?'],
  ],
  members,

  async run() {
    throw new Misuse(
      `Expected what to do: eval ${members.map(({ name }) => name.split(' ').at(-1)).join(', ')}`,
    )
  },
}
