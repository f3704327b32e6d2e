// A faster answer counts only if it is the same answer.
const leastCosine = { Q8_0: 0.999, F16: 0.999, BF16: 0.999, F32: 0.999 }
const greatestDifference = 0.02

/**
 * @param {import('./fresh-process.mjs').Measured} ours
 * @param {import('./fresh-process.mjs').Measured} theirs
 * @param {{ task: 'embed' | 'rank', type: string }} about
 */
export function agreement(ours, theirs, { task, type }) {
  if (ours.tokens.some((count, i) => count !== theirs.tokens[i])) {
    return { agrees: false, text: 'other tokens' }
  }
  if (task === 'rank') {
    const worst = greatest(ours.answers.map((score, i) => Math.abs(score - theirs.answers[i])))
    return { agrees: worst <= greatestDifference, text: `scores within ${worst.toPrecision(2)}` }
  }
  const worst = -greatest(ours.answers.map((vector, i) => -cosine(vector, theirs.answers[i])))
  return { agrees: worst >= (leastCosine[type] ?? 0.99), text: `cosine ≥ ${floor(worst)}` }
}

// Math.max is NaN if any of its values is, and NaN agrees with nothing.
function greatest(values) {
  return Math.max(...values)
}

function floor(value) {
  return (Math.floor(value * 1e5) / 1e5).toFixed(5)
}

function cosine(a, b) {
  let product = 0
  let aa = 0
  let bb = 0
  for (let i = 0; i < a.length; i++) {
    product += a[i] * b[i]
    aa += a[i] * a[i]
    bb += b[i] * b[i]
  }
  return product / Math.sqrt(aa * bb)
}
