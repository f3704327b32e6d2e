import { MersenneTwister } from './mersenne.ts'

/** A number with its 95% interval. */
export interface Estimate {
  value: number
  low: number
  high: number
}

export const resamples = 10_000
const seed = 20_260_101
/** A statistic that must be computed anew from each resample costs more: fewer will do. */
const costly = 1_000

/** Means with percentile intervals over resampled queries; all rows see the same resamples. */
export function meanEstimates(rows: readonly ArrayLike<number>[]): Estimate[] {
  const n = rows[0]?.length ?? 0
  const random = new MersenneTwister(seed)
  const means = rows.map(() => new Float64Array(n > 1 ? resamples : 0))
  const counts = new Uint32Array(n)
  for (let round = 0; round < (n > 1 ? resamples : 0); round++) {
    counts.fill(0)
    for (let i = 0; i < n; i++) counts[random.below(n)]!++
    for (const [place, row] of rows.entries()) {
      let sum = 0
      for (let i = 0; i < n; i++) sum += counts[i]! * row[i]!
      means[place]![round] = sum / n
    }
  }
  return rows.map((row, place) => ({ value: mean(row), ...percentiles(means[place]!, mean(row)) }))
}

export function meanEstimate(values: ArrayLike<number>): Estimate {
  return meanEstimates([values])[0]!
}

/** Any statistic of n paired items, from resampled places; a resample on which it has no value is left out. */
export function estimate(n: number, statistic: (places: Uint32Array) => number): Estimate {
  const random = new MersenneTwister(seed)
  const places = Uint32Array.from({ length: n }, (_, i) => i)
  const value = statistic(places)
  const found: number[] = []
  for (let round = 0; round < costly && n > 1; round++) {
    for (let i = 0; i < n; i++) places[i] = random.below(n)
    const one = statistic(places)
    if (!Number.isNaN(one)) found.push(one)
  }
  return { value, ...percentiles(Float64Array.from(found), value) }
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]!
  return values.length === 0 ? 0 : sum / values.length
}

function percentiles(values: Float64Array, otherwise: number): { low: number; high: number } {
  if (values.length === 0) return { low: otherwise, high: otherwise }
  values.sort()
  return { low: quantile(values, 0.025), high: quantile(values, 0.975) }
}

function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1)
  const below = sorted[Math.floor(place)]!
  const above = sorted[Math.ceil(place)]!
  return below + (above - below) * (place - Math.floor(place))
}
