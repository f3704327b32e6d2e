// How much of one text stands in another, word for word.

/** Three words in a row each; of a shorter text the whole. */
export function gramsOf(text: string, words = 3): Set<string> {
  const found = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
  if (found.length < words) return new Set([found.join(' ')])
  return new Set(found.slice(words - 1).map((_, i) => found.slice(i, i + words).join(' ')))
}

/** Grams that both have, as a share of those of the one with fewer: 0 to 1. */
export function containment(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  const [few, many] = a.size <= b.size ? [a, b] : [b, a]
  let shared = 0
  for (const gram of few) if (many.has(gram)) shared++
  return few.size === 0 ? 0 : shared / few.size
}
