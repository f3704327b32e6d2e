import { rank } from './metrics/order.ts'
import { defaultMetrics, measure, readMetric } from './metrics/retrieval.ts'
import { refuseUnknown } from '../errors.ts'
import { type Remark, Remarks, wrongData } from './read/remarks.ts'
import { type Estimate, meanEstimates } from './statistics/bootstrap.ts'

/** For each query, a number for each document: its grade, or its score. */
export type ByQuery =
  | ReadonlyMap<string, ReadonlyMap<string, number>>
  | Readonly<Record<string, Readonly<Record<string, number>>>>

export interface ScoreOptions {
  /** Such as `ndcg@10`, `map`, `mrr@10`, `recall@100`, `precision@5`, `success@1`. */
  metrics?: readonly string[]
  /** Judged queries that the run lacks: 0, or left out as trec_eval does without `-c`. @default 'zero' */
  missing?: 'zero' | 'skip'
}

export interface Score {
  /** Means over queries with 95% intervals, by metric. */
  metrics: Record<string, Estimate>
  /** The queries that count, in the order of the judgements. */
  queries: string[]
  /** By metric, a value for each of `queries`. */
  values: Record<string, number[]>
  /** What was odd: queries missing, not judged, or without anything relevant. */
  remarks: Remark[]
}

/**
 * trec_eval's measures of a run, without a model. Order is by score as float32, ties by id; judgements below 1 are not
 * relevant; unjudged documents count as not relevant.
 *
 * @throws Qwen3Error `ERR_DATASET` for a score that is no number, and where no query is judged; `RangeError` for an
 * unknown metric.
 */
export function score(qrels: ByQuery, run: ByQuery, options: ScoreOptions = {}): Score {
  const measured = measureRun(qrels, run, options)
  return scored(measured, meanEstimates(measured.rows))
}

/** Values of each query, before their means. */
export interface Measured {
  names: string[]
  queries: string[]
  /** (metrics)(queries) */
  rows: number[][]
  remarks: Remark[]
}

export function scored(
  { names, queries, rows, remarks }: Measured,
  estimates: readonly Estimate[],
): Score {
  return {
    metrics: Object.fromEntries(names.map((name, i) => [name, estimates[i]!])),
    queries,
    values: Object.fromEntries(names.map((name, i) => [name, rows[i]!])),
    remarks,
  }
}

export function measureRun(qrels: ByQuery, run: ByQuery, options: ScoreOptions): Measured {
  refuseUnknown(options, ['metrics', 'missing'], 'option')
  const metrics = (options.metrics ?? defaultMetrics).map(readMetric)
  const isSkipping = options.missing === 'skip'
  const remarks = new Remarks()
  const judged = mapsOf(qrels)
  const found = mapsOf(run)
  const queries: string[] = []
  const rows: number[][] = metrics.map(() => [])
  for (const [query, grades] of judged) {
    const scores = found.get(query)
    if (!scores) {
      const what = isSkipping ? 'left out' : 'counted as 0'
      remarks.add('missing-query', `judged queries are not in the run and were ${what}`, query)
      if (isSkipping) continue
    }
    if (![...grades.values()].some((grade) => grade >= 1)) {
      remarks.add('nothing-relevant', 'queries have no relevant document and score 0', query)
    }
    queries.push(query)
    const ranked = scores ? rank(scores, query) : []
    for (const [i, value] of measure(grades, ranked, metrics).entries()) rows[i]!.push(value)
  }
  for (const query of found.keys()) {
    if (!judged.has(query))
      remarks.add(
        'unjudged-query',
        'queries of the run have no judgements and were left out',
        query,
      )
  }
  if (queries.length === 0 || ![...judged.keys()].some((query) => found.has(query))) {
    throw wrongData('No query of the run has judgements: are both of one collection and split?')
  }
  return { names: metrics.map(({ name }) => name), queries, rows, remarks: remarks.list() }
}

function mapsOf(given: ByQuery): ReadonlyMap<string, ReadonlyMap<string, number>> {
  if (given instanceof Map) return given
  return new Map(
    Object.entries(given).map(([query, documents]) => [
      query,
      new Map(Object.entries(documents as object)),
    ]),
  )
}
