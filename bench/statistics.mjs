/** @param {number[]} values @param {number} fraction 0.5 for the median; nearest rank. */
export function quantile(values, fraction) {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * fraction) - 1)]
}

/** @param {number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}

/** @param {number[]} values */
export function sum(values) {
  return values.reduce((total, value) => total + value, 0)
}
