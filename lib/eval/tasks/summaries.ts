import { averageRanks, correlation } from '../metrics/correlation.ts'
import type { SummaryData } from '../read/dataset.ts'
import { wrongData } from '../read/remarks.ts'
import { meanEstimate } from '../statistics/bootstrap.ts'
import { dot, encode, normalised } from '../vectors/matrix.ts'
import { type Context, matrixOf, type Result, type TaskOutcome } from './context.ts'

export async function judgeSummaries(
  { rows }: SummaryData,
  context: Context,
): Promise<TaskOutcome> {
  const human = await matrixOf(
    context,
    rows.flatMap((row) => row.human),
    context.prompts.query,
  )
  const machine = await matrixOf(
    context,
    rows.flatMap((row) => row.machine),
    context.prompts.query,
  )
  const results: Result[] = []
  const items = rows.map((_, i) => `${i + 1}`)
  for (const setting of context.settings) {
    const [model, made] = [human, machine].map((side) =>
      normalised(encode(side, setting.dimensions, setting.encoding)),
    )
    let first = 0
    let place = 0
    const values: number[] = []
    for (const row of rows) {
      const own = row.human.map((_, i) => first + i)
      first += row.human.length
      const cosines = row.machine.map(() => {
        const at = place++ * made!.width
        return Math.max(
          ...own.map((i) =>
            Math.fround(dot(model!.values, i * model!.width, made!.values, at, made!.width)),
          ),
        )
      })
      const value = correlation(averageRanks(cosines), averageRanks(row.scores))
      if (Number.isNaN(value))
        context.remarks.add(
          'constant-scores',
          'samples have equal scores throughout and were left out',
          `${values.length + 1}`,
        )
      else values.push(value)
    }
    if (values.length === 0)
      throw wrongData('Every sample has equal scores throughout: there is nothing to correlate')
    results.push({
      setting,
      isReranked: false,
      main: 'spearman',
      metrics: { spearman: meanEstimate(values) },
      values: { spearman: values },
      evidence: { kind: 'mean', values },
      histogram: null,
    })
  }
  return { items, results, counts: { samples: rows.length } }
}
