// Where reports and pictures go.
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Report, SuiteReport } from '../../eval/index.ts'
import type { Arguments } from '../arguments.ts'
import { remark, type Session } from '../command.ts'

/** In one step: a file of that name is whole, or is the one before. */
export async function writeWhole(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(`${path}.${process.pid}.new`, content)
  await rename(`${path}.${process.pid}.new`, path)
}

export async function writePlots(
  args: Arguments,
  session: Session,
  plots: readonly (readonly [name: string, svg: () => string])[],
): Promise<void> {
  const folder = args.text('svg')
  if (folder === undefined) return
  for (const [name, svg] of plots) {
    const path = join(folder, `${name}.svg`)
    await writeWhole(path, svg())
    remark(session, `picture: ${path}`)
  }
}

/** For `--output`. */
export async function writeReport(report: Report | SuiteReport, args: Arguments) {
  const output = args.text('output')
  if (output !== undefined) await writeWhole(output, `${JSON.stringify(report, null, 1)}\n`)
}
