import {
  baselines,
  type Cell,
  type PlannedTask,
  planSuite,
  planTable,
  type SuiteName,
  suites,
} from '../../eval/index.ts'
import type { Command } from '../command.ts'
import { Misuse } from '../misuse.ts'
import { count } from '../numbers.ts'
import { print, printJson } from '../print.ts'
import { columns, painter } from '../terminal.ts'

export const planCommand: Command = {
  name: 'eval plan',
  summary: "the paper's tables: tasks, hours, data, and the command of each cell",
  usage: ['[--suite NAME] [--type NAME] [OPTIONS]', '--table 2|3|4|5'],
  about: [
    'Tasks of a suite with their tokens (estimated from their characters), the hours they take at --rate tokens a second, their ' +
      'licence, and what fetches their data; * marks those whose folder is there. With --table every cell of that table: the ' +
      'published figure and the command that gives it, or why none can.',
  ],
  options: {
    suite: { value: 'NAME', help: `${Object.keys(suites).join('; ')}; default: the first` },
    type: { value: 'NAME', help: 'only these, such as STS' },
    table: { value: 'N', help: "the paper's Table 2, 3, 4 or 5" },
    data: { value: 'FOLDER', help: 'the folder with a folder for each task; default: ./mteb' },
    rate: { value: 'N', help: 'tokens a second of this machine (qwen3-embed bench); default: 650' },
  },
  examples: [
    ['qwen3-embed eval plan --suite "MTEB(eng, v2)" --type STS', 'what fits a night'],
    ['qwen3-embed eval plan --table 4', 'how each figure of Table 4 is had'],
  ],

  async run(args) {
    if (args.positionals.length > 0) throw new Misuse('plan takes no arguments, only options')
    const table = args.integer('table', 2, 5)
    if (table !== undefined) {
      const cells = planTable(table)
      await (args.has('json') ? printJson({ cells, baselines }) : print(cellsText(cells)))
      return true
    }
    const suite = args.text('suite') ?? Object.keys(suites)[0]!
    if (!Object.hasOwn(suites, suite)) {
      throw new Misuse(
        `There is no suite ${JSON.stringify(suite)}; there are ${Object.keys(suites).join('; ')}`,
      )
    }
    const tasks = await planSuite({
      suite: suite as SuiteName,
      type: args.text('type'),
      data: args.text('data'),
      tokensPerSecond: args.number('rate', 0.001),
    })
    await (args.has('json') ? printJson(tasks) : print(tasksText(suite, tasks)))
    return true
  },
}

function tasksText(suite: string, tasks: readonly PlannedTask[]): string {
  const paint = painter(process.stdout)
  const head = ['TASK', 'TYPE', 'TOKENS', 'HOURS', 'LICENCE', 'DATA'].map((title) =>
    paint('bold', title),
  )
  const sorted = [...tasks].sort((a, b) => a.hours - b.hours)
  const rows = sorted.map(({ name, type, tokens, hours, licence, folder, fetch, reason }) => [
    (folder ? '*' : '') + name,
    type,
    tokens === 0 ? '?' : count(tokens),
    tokens === 0 ? '?' : hours.toFixed(hours < 1 ? 2 : 1),
    licence,
    reason ?? folder ?? fetch,
  ])
  const total = tasks.reduce((sum, { hours }) => sum + hours, 0)
  return `${columns([head, ...rows], [2, 3])}\n${suite}: ${tasks.length} tasks, about ${count(total)} hours in all\n`
}

function cellsText(cells: readonly Cell[]): string {
  const paint = painter(process.stdout)
  const head = ['MODEL', 'COLUMN', 'PUBLISHED', 'COMMAND'].map((title) => paint('bold', title))
  const rows = cells.map(({ model, column, published, command, note }) => [
    model,
    column,
    published.toFixed(2),
    command === null ? `none: ${note}` : command + (note ? `   # ${note}` : ''),
  ])
  return columns([head, ...rows], [2])
}
