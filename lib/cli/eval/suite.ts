import { runSuite, type SuiteName, type SuiteReport, suites } from '../../eval/index.ts'
import type { Arguments } from '../arguments.ts'
import { Misuse } from '../misuse.ts'
import { print, printJson } from '../print.ts'
import { columns, painter } from '../terminal.ts'
import { writeReport } from './output.ts'
import type { RunOptions } from './run-options.ts'
import type { Steps } from './steps.ts'

export async function wholeSuite(
  suite: string,
  options: RunOptions,
  args: Arguments,
  progress: Steps,
): Promise<boolean> {
  if (!Object.hasOwn(suites, suite)) {
    throw new Misuse(
      `There is no suite ${JSON.stringify(suite)}; there are ${Object.keys(suites).join('; ')}`,
    )
  }
  const report = await runSuite({
    ...options,
    suite: suite as SuiteName,
    type: args.text('type'),
    data: args.text('data'),
    onProgress: (at) => progress.update(at),
  })
  progress.end()
  await writeReport(report, args)
  if (args.has('json')) await printJson(report)
  else await print(suiteText(report))
  return report.tasks.some((task) => task.value !== null)
}

function suiteText({ suite, tasks, meanTask, meanType, isComplete }: SuiteReport): string {
  const paint = painter(process.stdout)
  const hundred = (value: number | null) => (value === null ? '' : (100 * value).toFixed(2))
  const head = ['TASK', 'TYPE', 'HERE', 'PUBLISHED', ''].map((title) => paint('bold', title))
  const rows = tasks.map(({ name, type, value, published, reason }) => [
    name,
    type,
    hundred(value),
    hundred(published),
    reason ?? '',
  ])
  const run = tasks.filter((task) => task.value !== null).length
  const means =
    run === 0
      ? 'no task was run'
      : `mean of tasks ${hundred(meanTask)}, of types ${hundred(meanType)}`
  const partial = isComplete
    ? ''
    : `, of ${run} of ${tasks.length} tasks only: not the figure of a table`
  return `${columns([head, ...rows], [2, 3])}\n${suite}: ${means}${partial}\n`
}
