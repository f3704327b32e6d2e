// Whether an answer is a query at all: before anything is embedded.

const words = (text: string) => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []

function gramsOf(list: readonly string[], n: number): string[] {
  return Array.from({ length: Math.max(0, list.length - n + 1) }, (_, i) =>
    list.slice(i, i + n).join(' '),
  )
}

/** Part of the query's n-grams that stand in the other text; 0 where it has none. */
function shared(query: readonly string[], other: readonly string[], n: number): number {
  const grams = gramsOf(query, n)
  const known = new Set(gramsOf(other, n))
  return grams.length === 0 ? 0 : grams.filter((gram) => known.has(gram)).length / grams.length
}

/**
 * 2 to 40 words, no markup, not the prompt's own words, not copied out of the passage.
 *
 * @param prompt What the model was told besides the passage.
 */
export function isQuery(query: string, passage: string, prompt: string): boolean {
  const said = words(query)
  if (said.length < 2 || said.length > 40) return false
  if (/[{}<>]|```|\*\*|^#/.test(query)) return false
  const letters = query.match(/\p{L}/gu)?.length ?? 0
  if (letters * 2 < query.replace(/\s/g, '').length) return false
  if (shared(said, words(prompt), 3) >= 0.6) return false
  return !(said.length > 12 && shared(said, words(passage), 5) >= 0.8)
}
