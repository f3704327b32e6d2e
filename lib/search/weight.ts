// How much meaning counts beside words, found without anybody's judgement: a sentence is taken out of a passage, and
// both ways of searching look for the passage that lacks it. The weight under which they find it best together is near
// the one under which real questions are answered best, for weak models and for better ones (docs/search.md).

/** Weights that are tried. */
export const weights: readonly number[] = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]

/** Passages that are asked for: half as many, and the weight moves by 0.1 from sample to sample. */
export const mostProbes = 128
/** With fewer the weight says more of them than of the model. */
export const fewestProbes = 32

/** Mean reciprocal ranks that are so much apart count for about a third. */
const softness = 0.01
/** What stands for what was not measured; a measured weight goes half of the way from it. */
export const usualWeight = 0.5
/** A sentence of the text itself is kinder to words than a question is, and never shows words to be useless. */
const [least, most] = [0.2, 0.5]

/** @param ranks of each probe the reciprocal rank under each weight */
export function weightOf(ranks: readonly (readonly number[])[]): number {
  const means = weights.map((_, i) => ranks.reduce((sum, one) => sum + one[i]!, 0) / ranks.length)
  const best = Math.max(...means)
  const shares = means.map((mean) => Math.exp((mean - best) / softness))
  const all = shares.reduce((sum, share) => sum + share, 0)
  const mean = weights.reduce((sum, weight, i) => sum + weight * shares[i]!, 0) / all
  // Rounded: sums of another order must not give other answers.
  return Number(Math.min(most, Math.max(least, (mean + usualWeight) / 2)).toFixed(3))
}
