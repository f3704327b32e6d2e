import { f1 } from '../metrics/classes.ts'
import { averageRanks, correlation } from '../metrics/correlation.ts'
import { averagePrecision } from '../metrics/pairs.ts'
import { type Estimate, estimate } from './bootstrap.ts'

/** Statistics of paired numbers that are no means: they are computed anew from every resample. */
const statistics = {
  pearson: correlation,
  spearman: (a: Float64Array, b: Float64Array) => correlation(averageRanks(a), averageRanks(b)),
  ap: (scores: Float64Array, positive: Float64Array) =>
    positive.includes(1) ? averagePrecision(scores, positive) : Number.NaN,
  f1: (gold: Float64Array, predicted: Float64Array) => f1(gold, predicted, 'weighted'),
} as const

export type Statistic = keyof typeof statistics

/** The statistic of a and b with its interval. */
export function spreadOf(
  statistic: Statistic,
  a: ArrayLike<number>,
  b: ArrayLike<number>,
): Estimate {
  return estimate(a.length, (places) => of(statistic, a, b, places))
}

/** How much more of it b has than a, both beside `gold`. */
export function differenceOf(
  statistic: 'spearman' | 'ap',
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  gold: ArrayLike<number>,
): Estimate {
  return estimate(
    gold.length,
    (places) => of(statistic, b, gold, places) - of(statistic, a, gold, places),
  )
}

function of(
  statistic: Statistic,
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  places: Uint32Array,
): number {
  return statistics[statistic](
    Float64Array.from(places, (i) => a[i]!),
    Float64Array.from(places, (i) => b[i]!),
  )
}
