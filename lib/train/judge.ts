// Whether an adapter is better, by evaluation on questions that it did not learn from.
import { Qwen3Error } from '../errors.ts'
import { compare, type Difference, evaluate, type Report } from '../eval/index.ts'
import { Reranker } from '../index.ts'
import type { Settings } from './options.ts'

/** Questions below which nothing is told. */
const fewest = 30

export interface Verdict {
  dataset: string
  before: Report
  after: Report
  difference: Difference
  /** Tables and the verdict in words. */
  text: string
}

export async function report(
  dataset: string,
  settings: Settings,
  dimensions: readonly number[],
  adapter?: string,
): Promise<Report> {
  const { model, signal, onProgress, instruction, cacheDir, load, threads } = settings
  return evaluate({
    model,
    dataset,
    dimensions,
    load: { ...load, ...(threads > 0 ? { threads } : {}) },
    ...(adapter === undefined ? {} : { adapter }),
    ...(instruction === undefined ? {} : { instruction }),
    ...(cacheDir === undefined ? {} : { cacheDir }),
    ...(signal ? { signal } : {}),
    onProgress: ({ step, done, total }) =>
      onProgress?.({ phase: 'judge', unit: step, done, total, rate: 0, eta: undefined }),
  })
}

/** Of a reranker: it orders again what the first stage found, and the second order counts. */
export async function rankingReport(
  dataset: string,
  settings: Settings,
  adapter?: string,
): Promise<Report> {
  const { model, firstStage, top, signal, onProgress, instruction, cacheDir, load, threads } =
    settings
  const loading = { ...load, ...(threads > 0 ? { threads } : {}) }
  const reranker = await Reranker.load(model, {
    ...loading,
    ...(adapter === undefined ? {} : { adapter }),
    ...(signal ? { signal } : {}),
  })
  try {
    const judged = await evaluate({
      model: firstStage,
      reranker,
      top,
      dataset,
      load: loading,
      ...(instruction === undefined ? {} : { instruction }),
      ...(cacheDir === undefined ? {} : { cacheDir }),
      ...(signal ? { signal } : {}),
      onProgress: ({ step, done, total }) =>
        onProgress?.({ phase: 'judge', unit: step, done, total, rate: 0, eta: undefined }),
    })
    const second = judged.systems.filter((system) => system.reranker !== null)
    if (second.length === 0) {
      throw new Qwen3Error(
        'ERR_DATASET',
        `Expected a data set whose documents can be ordered, of retrieval or reranking, but ${dataset} is of ${judged.dataset.kind}`,
        { dataset, kind: judged.dataset.kind },
        { remedy: 'Give one with queries, documents and judgements (docs/eval.md).' },
      )
    }
    return { ...judged, systems: second }
  } finally {
    await reranker.close()
  }
}

export function scoreOf({ systems: [system] }: Report): number {
  return system!.metrics[system!.main]!.value
}

/** The first dimensions decide; the table shows all. */
export function verdict(dataset: string, before: Report, after: Report): Verdict {
  const pairs = before.systems.map((_, i) =>
    compare(
      { ...before, systems: [before.systems[i]!] },
      { ...after, systems: [after.systems[i]!] },
    ),
  )
  return {
    dataset,
    before,
    after,
    difference: pairs[0]!.differences[0]!,
    text: pairs.map((pair) => pair.text()).join('\n'),
  }
}

/**
 * Shown to be better: neither chance explains the difference, nor that the best of so many `looks` at the same
 * questions was taken (Bonferroni).
 */
export function isBetter(
  { difference: { difference, p, items } }: Verdict,
  looks: number,
): boolean {
  return items >= fewest && difference.low > 0 && p * looks < 0.05
}
