import { entry } from '../entry.ts'

/** Agreement of clusters with labels: the harmonic mean of homogeneity and completeness, each 1 where its entropy is 0. */
export function vMeasure(labels: ArrayLike<number>, clusters: ArrayLike<number>): number {
  const n = labels.length
  const joint = new Map<number, Map<number, number>>()
  const sizes = new Map<number, number>()
  for (let i = 0; i < n; i++) {
    const row = entry(joint, labels[i]!, () => new Map<number, number>())
    row.set(clusters[i]!, (row.get(clusters[i]!) ?? 0) + 1)
    sizes.set(clusters[i]!, (sizes.get(clusters[i]!) ?? 0) + 1)
  }
  const totals = [...joint.values()].map((row) => [...row.values()].reduce((sum, x) => sum + x, 0))
  let information = 0
  for (const [place, row] of [...joint.values()].entries()) {
    for (const [cluster, count] of row) {
      information += (count / n) * Math.log((count * n) / (totals[place]! * sizes.get(cluster)!))
    }
  }
  const entropyOf = (counts: number[]) =>
    counts.reduce((sum, count) => sum - (count / n) * Math.log(count / n), 0)
  const share = (entropy: number) => (entropy === 0 ? 1 : information / entropy)
  const homogeneity = share(entropyOf(totals))
  const completeness = share(entropyOf([...sizes.values()]))
  const sum = homogeneity + completeness
  return sum === 0 ? 0 : (2 * homogeneity * completeness) / sum
}
