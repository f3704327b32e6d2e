// trec_eval's measures of one ranking. Gains are the judgements themselves; below 1 counts as not relevant.
import { misuse } from '../../errors.ts'
import { nearest } from '../../nearest.ts'

const kinds = ['ndcg', 'map', 'recall', 'precision', 'success', 'mrr'] as const
type Kind = (typeof kinds)[number]

/** One measure: `ndcg@10`, or `map` without a cut. */
export interface Metric {
  readonly name: string
  readonly kind: Kind
  /** Ranks that count. */
  readonly cut: number
}

export const defaultMetrics: readonly string[] = [
  'ndcg@10',
  'map@100',
  'mrr@10',
  'recall@10',
  'recall@100',
  'precision@10',
  'success@1',
  'success@5',
]

/** @throws RangeError for a name that is no metric. */
export function readMetric(name: string): Metric {
  const [, word, digits] = /^([a-z]+)(?:@(\d{1,7}))?$/.exec(name) ?? []
  const kind = kinds.find((kind) => kind === word)
  const needsCut = kind === 'recall' || kind === 'precision' || kind === 'success'
  const cut = digits === undefined ? Number.POSITIVE_INFINITY : Number(digits)
  if (kind === undefined || cut < 1 || (needsCut && digits === undefined)) {
    const meant = word && nearest(word, kinds)
    const hint =
      meant && meant !== word ? `. Did you mean ${meant}${digits ? `@${digits}` : ''}?` : ''
    const error = misuse(
      RangeError,
      `a metric such as ${kinds.map((kind) => `${kind}@10`).join(', ')}`,
      'metrics',
      name,
    )
    error.message += hint
    throw Object.assign(error, { hint })
  }
  return { name, kind, cut }
}

/**
 * What each metric says of one ranking.
 *
 * @param judged Grades by document id. Unjudged documents and grades below 1 gain nothing.
 * @param ranked Document ids, best first.
 * @returns One number for each metric; 0 where nothing is relevant.
 */
export function measure(
  judged: ReadonlyMap<string, number>,
  ranked: readonly string[],
  metrics: readonly Metric[],
): number[] {
  const gains = ranked.map((id) => Math.max(0, judged.get(id) ?? 0))
  const ideal = [...judged.values()].filter((grade) => grade >= 1).sort((a, b) => b - a)
  return metrics.map((metric) =>
    ideal.length === 0 ? 0 : measures[metric.kind](gains, ideal, metric.cut),
  )
}

type Measure = (gains: readonly number[], ideal: readonly number[], cut: number) => number

const measures: Record<Kind, Measure> = {
  ndcg: (gains, ideal, cut) => discounted(gains, cut) / discounted(ideal, cut),
  map: averagePrecision,
  recall: (gains, ideal, cut) => hits(gains, cut) / ideal.length,
  // Also where fewer were retrieved, as trec_eval does.
  precision: (gains, _, cut) => hits(gains, cut) / cut,
  success: (gains, _, cut) => (hits(gains, cut) > 0 ? 1 : 0),
  mrr(gains, _, cut) {
    const first = gains.findIndex((gain) => gain >= 1)
    return first >= 0 && first < cut ? 1 / (first + 1) : 0
  },
}

function discounted(gains: readonly number[], cut: number): number {
  let sum = 0
  const length = Math.min(cut, gains.length)
  for (let i = 0; i < length; i++) if (gains[i]! > 0) sum += gains[i]! / Math.log2(i + 2)
  return sum
}

function hits(gains: readonly number[], cut: number): number {
  let found = 0
  const length = Math.min(cut, gains.length)
  for (let i = 0; i < length; i++) if (gains[i]! >= 1) found++
  return found
}

// Divided by all that is relevant, not by what the cut could hold.
function averagePrecision(gains: readonly number[], ideal: readonly number[], cut: number): number {
  let found = 0
  let sum = 0
  const length = Math.min(cut, gains.length)
  for (let i = 0; i < length; i++) if (gains[i]! >= 1) sum += ++found / (i + 1)
  return sum / ideal.length
}
