import { averagePrecision } from './pairs.ts'

/** The candidates of one query. */
export interface Candidates {
  /** (candidates) */
  scores: ArrayLike<number>
  /** (candidates): 1 for what is relevant, else 0. */
  positive: ArrayLike<number>
}

/** mteb 1's measures of a reranked list: average precision over thresholds, and reciprocal rank within the first ten. */
export function measureReranked({ scores, positive }: Candidates): { map: number; mrr: number } {
  const order = Uint32Array.from({ length: scores.length }, (_, i) => i)
  order.sort((x, y) => scores[y]! - scores[x]! || x - y)
  const first = order.findIndex((place) => positive[place] === 1)
  return {
    map: averagePrecision(scores, positive),
    mrr: first >= 0 && first < 10 ? 1 / (first + 1) : 0,
  }
}
