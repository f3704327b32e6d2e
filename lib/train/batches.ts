// Which examples are learnt from together, for a whole training: known before it starts, from its seed.
import { shuffled } from '../pairs/random.ts'

/** A query with one answer, as numbers of texts. */
export interface Example {
  query: number
  positive: number
  negatives: readonly number[]
}

/**
 * Every epoch once over all examples in another order. A batch never holds a query or a positive twice: each would be
 * taught as the other's wrong answer. What is left of an epoch is a batch of its own if it is half of one.
 */
export function planBatches(
  examples: readonly Example[],
  { batch, epochs, seed }: { batch: number; epochs: number; seed: number },
): number[][] {
  const batches: number[][] = []
  for (let epoch = 0; epoch < epochs; epoch++) {
    let waiting = shuffled(examples.length, seed + epoch)
    while (waiting.length > 0) {
      const taken = new Set<number>()
      const chosen: number[] = []
      const left: number[] = []
      for (const i of waiting) {
        const { query, positive } = examples[i]!
        if (chosen.length === batch || taken.has(query) || taken.has(positive)) left.push(i)
        else {
          chosen.push(i)
          taken.add(query).add(positive)
        }
      }
      const isWhole = chosen.length * 2 >= batch || batches.length === 0
      if (isWhole) batches.push(chosen)
      // The rest of an epoch all repeats what is chosen, or fills no batch.
      if (!isWhole || left.length === 0) break
      waiting = left
    }
  }
  return batches
}

/**
 * Every epoch once over all pairs. Those of a query stand together, since the beginnings of their prompts are computed
 * once; the queries come in another order each time. What is left of an epoch is a batch of its own.
 */
export function planPairs(
  pairs: readonly { query: number }[],
  { batch, epochs, seed }: { batch: number; epochs: number; seed: number },
): number[][] {
  const queries = new Map<number, number[]>()
  for (const [i, { query }] of pairs.entries()) {
    const known = queries.get(query)
    if (known) known.push(i)
    else queries.set(query, [i])
  }
  const groups = [...queries.values()]
  const batches: number[][] = []
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = shuffled(groups.length, seed + epoch).flatMap((i) => groups[i]!)
    for (let from = 0; from < order.length; from += batch)
      batches.push(order.slice(from, from + batch))
  }
  return batches
}

/** Linear to the peak over the first tenth, then a half cosine down to a twentieth of it. */
export function rateAt(step: number, steps: number, peak: number): number {
  const warm = Math.max(1, Math.round(steps / 10))
  if (step < warm) return (peak * (step + 1)) / warm
  const part = (step - warm) / Math.max(1, steps - warm)
  return peak * (0.05 + (0.95 * (1 + Math.cos(Math.PI * part))) / 2)
}
