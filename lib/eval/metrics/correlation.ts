import { Qwen3Error } from '../../index.ts'

/** Spearman's rank correlation: Pearson's of average ranks. @throws Qwen3Error `ERR_DATASET` if one side is constant. */
export function spearman(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return pearson(averageRanks(a), averageRanks(b))
}

/** Pearson's correlation. @throws Qwen3Error `ERR_DATASET` if one side is constant. */
export function pearson(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const value = correlation(a, b)
  if (Number.isNaN(value)) {
    throw new Qwen3Error(
      'ERR_DATASET',
      `Expected scores that differ but all ${a.length} on one side are equal: there is nothing to correlate`,
      { count: a.length },
    )
  }
  return value
}

/** NaN where one side is constant. */
export function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const n = a.length
  let meanA = 0
  let meanB = 0
  for (let i = 0; i < n; i++) {
    meanA += a[i]! / n
    meanB += b[i]! / n
  }
  let ab = 0
  let aa = 0
  let bb = 0
  for (let i = 0; i < n; i++) {
    const x = a[i]! - meanA
    const y = b[i]! - meanB
    ab += x * y
    aa += x * x
    bb += y * y
  }
  if (isConstant(a) || isConstant(b)) return Number.NaN
  return Math.min(1, Math.max(-1, ab / Math.sqrt(aa * bb)))
}

/** Ranks from 1; equal values share the mean of theirs. */
export function averageRanks(values: ArrayLike<number>): Float64Array {
  const order = Uint32Array.from({ length: values.length }, (_, i) => i)
  order.sort((x, y) => values[x]! - values[y]!)
  const ranks = new Float64Array(values.length)
  for (let from = 0; from < order.length; ) {
    let to = from + 1
    while (to < order.length && values[order[to]!] === values[order[from]!]) to++
    const rank = (from + to + 1) / 2
    for (let i = from; i < to; i++) ranks[order[i]!] = rank
    from = to
  }
  return ranks
}

function isConstant(values: ArrayLike<number>): boolean {
  for (let i = 1; i < values.length; i++) if (values[i] !== values[0]) return false
  return true
}
