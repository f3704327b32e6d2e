// Which t of slerp is best, by a dev set: the paper's last stage, whose coefficients it does not say.
import { rename, rm } from 'node:fs/promises'
import { compare, type Difference, evaluate, type Report } from '../eval/index.ts'
import { type MergeOptions, type MergeResult, merge } from './merge.ts'

export interface SearchOptions extends Omit<MergeOptions, 't' | 'method' | 'adapter' | 'weights'> {
  /** A data set, as for `evaluate`. */
  dev: string
  /** @default [0.25, 0.5, 0.75] beside the two models as they are */
  points?: readonly number[] | undefined
  instruction?: string | undefined
  cacheDir?: string | undefined
}

export interface SearchResult {
  /** By t, its score on the dev set. */
  scores: { t: number; score: number }[]
  /** The best merge beside the better of the two models. */
  difference: Difference
  /** The merged file; null where no merge is shown to be better than the better model alone. */
  merged: MergeResult | null
}

export async function searchMerge(options: SearchOptions): Promise<SearchResult> {
  const { dev, points = [0.25, 0.5, 0.75], instruction, cacheDir, ...common } = options
  const { signal, output, models } = common
  const ask = (model: string) =>
    evaluate({
      model,
      dataset: dev,
      ...(instruction === undefined ? {} : { instruction }),
      ...(cacheDir === undefined ? {} : { cacheDir }),
      ...(signal ? { signal } : {}),
    })
  const ends = [
    { t: 0, report: await ask(models[0]!) },
    { t: 1, report: await ask(models[1]!) },
  ]
  const base = ends.sort((a, b) => scoreOf(b.report) - scoreOf(a.report))[0]!
  const scores = ends.map(({ t, report }) => ({ t, score: scoreOf(report) }))
  const draft = `${output}.t.gguf`
  let best: { t: number; report: Report; result: MergeResult } | undefined
  try {
    for (const t of points) {
      const result = await merge({ ...common, method: 'slerp', t, output: draft })
      const report = await ask(draft)
      scores.push({ t, score: scoreOf(report) })
      if (best && scoreOf(report) <= scoreOf(best.report)) continue
      best = { t, report, result: { ...result, output } }
      await rename(draft, `${output}.best.gguf`)
    }
    const difference = compare(base.report, best!.report).differences[0]!
    const { low } = difference.difference
    // The best of several looks at the same questions.
    const isBetter = low > 0 && difference.p * points.length < 0.05
    if (isBetter) await rename(`${output}.best.gguf`, output)
    return {
      scores: scores.sort((a, b) => a.t - b.t),
      difference,
      merged: isBetter ? best!.result : null,
    }
  } finally {
    for (const path of [draft, `${output}.best.gguf`]) await rm(path, { force: true })
  }
}

function scoreOf({ systems: [system] }: Report): number {
  return system!.metrics[system!.main]!.value
}
