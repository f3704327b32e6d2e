import { measurePairs } from '../metrics/pairs.ts'
import type { Histogram } from './report.ts'

const spans = 40

/** Where scores of what is right and of what is wrong lie. Null where one of them is missing. */
export function histogramOf(
  scores: readonly number[],
  positive: readonly number[],
): Histogram | null {
  if (!positive.includes(1) || !positive.includes(0)) return null
  let low = scores.reduce((a, b) => Math.min(a, b))
  let high = scores.reduce((a, b) => Math.max(a, b))
  if (low === high) [low, high] = [low - 0.5, high + 0.5]
  const empty = () => new Array<number>(spans).fill(0)
  const found = { positive: empty(), negative: empty() }
  for (const [i, score] of scores.entries()) {
    const span = Math.min(spans - 1, Math.floor(((score - low) / (high - low)) * spans))
    found[positive[i] === 1 ? 'positive' : 'negative'][span]!++
  }
  return { low, high, ...found, threshold: measurePairs(scores, positive).f1Threshold }
}
