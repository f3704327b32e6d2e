// Yes or no from one score: every distinct score is a threshold, and equal scores fall on the same side.

export interface PairMeasures {
  /** Average precision: the sum over thresholds of the recall gained times the precision there. */
  ap: number
  /** The best any threshold reaches, and that threshold: half-way between two neighbouring scores. */
  accuracy: number
  accuracyThreshold: number
  f1: number
  f1Threshold: number
}

/**
 * Measures of scores against labels, as scikit-learn and mteb compute them.
 *
 * @param positive 1 or 0 for each score.
 */
export function measurePairs(scores: ArrayLike<number>, positive: ArrayLike<number>): PairMeasures {
  const best = { ap: 0, accuracy: 0, accuracyThreshold: 0, f1: 0, f1Threshold: 0 }
  const n = scores.length
  let positives = 0
  for (let i = 0; i < n; i++) positives += positive[i]!
  best.accuracy = (n - positives) / n
  best.accuracyThreshold = Number.POSITIVE_INFINITY
  for (const { above, hits, threshold } of steps(scores, positive)) {
    const precision = hits.now / above
    best.ap += ((hits.now - hits.before) / positives) * precision
    const accuracy = (hits.now + (n - positives - (above - hits.now))) / n
    if (accuracy > best.accuracy) [best.accuracy, best.accuracyThreshold] = [accuracy, threshold]
    const f1 = (2 * hits.now) / (above + positives)
    if (f1 > best.f1) [best.f1, best.f1Threshold] = [f1, threshold]
  }
  return best
}

export function averagePrecision(scores: ArrayLike<number>, positive: ArrayLike<number>): number {
  return measurePairs(scores, positive).ap
}

function* steps(scores: ArrayLike<number>, positive: ArrayLike<number>) {
  const order = Uint32Array.from({ length: scores.length }, (_, i) => i)
  order.sort((x, y) => scores[y]! - scores[x]!)
  let hits = 0
  for (let from = 0; from < order.length; ) {
    let to = from
    const before = hits
    while (to < order.length && scores[order[to]!] === scores[order[from]!]) {
      hits += positive[order[to]!]!
      to++
    }
    const here = scores[order[from]!]!
    const next = to < order.length ? scores[order[to]!]! : here
    yield { above: to, hits: { before, now: hits }, threshold: (here + next) / 2 }
    from = to
  }
}
