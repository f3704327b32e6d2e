import { readFile } from 'node:fs/promises'
import { compare, plotsOf, type Report } from '../../eval/index.ts'
import type { Command } from '../command.ts'
import { Misuse } from '../misuse.ts'
import { print, printJson } from '../print.ts'
import { takesColour } from '../terminal.ts'
import { writePlots } from './output.ts'

export const compareCommand: Command = {
  name: 'eval compare',
  summary: 'is one better than the other, or is it chance?',
  usage: ['REPORT.json… [OPTIONS]'],
  about: [
    'The first system of the first report is compared with all others on the same data. Intervals are paired bootstraps of ' +
      '10,000 resamples, p values come from a sign-flip permutation test (McNemar where items are right or wrong) and are ' +
      "corrected for several comparisons by Holm's rule. Below 30 items nothing is claimed.",
  ],
  options: { svg: { value: 'FOLDER', help: 'write pictures there' } },
  examples: [
    ['qwen3-embed eval compare before.json after.json', 'two models'],
    [
      'qwen3-embed eval compare widths.json --svg pictures',
      'the settings of one run, with pictures',
    ],
  ],

  async run(args, session) {
    if (args.positionals.length === 0)
      throw new Misuse('Expected reports: files that eval run -o wrote')
    const reports = await Promise.all(args.positionals.map(read))
    const comparison = compare(...reports)
    const hasItems = comparison.differences.some(({ perItem }) => perItem.length > 0)
    const plots = [...plotsOf(reports), ...(hasItems ? (['difference'] as const) : [])]
    await writePlots(
      args,
      session,
      plots.map((name) => [name, () => comparison.svg(name)]),
    )
    if (args.has('json')) await printJson(comparison.json())
    else await print(comparison.text({ colour: takesColour(process.stdout) }))
    return true
  },
}

async function read(path: string): Promise<Report> {
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw cause.code === 'ENOENT' ? new Error(`There is no file ${path}`) : cause
  })
  const report = parse(text)
  if (report?.version === 1 && Array.isArray(report.systems) && report.dataset) return report
  throw new Error(`${path} is no report: qwen3-embed eval run … -o ${path} writes one`)
}

function parse(text: string): Report | undefined {
  try {
    return JSON.parse(text) as Report
  } catch {
    return undefined
  }
}
