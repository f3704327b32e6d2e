// The sentences of misuse, in the words of the rest of the package.

export function expected(what: string, name: string, received: unknown): string {
  return `Expected ${what} for ${name} but received ${describe(received)}`
}

function describe(value: unknown): string {
  if (typeof value === 'string') return `the string ${JSON.stringify(value.slice(0, 60))}`
  if (typeof value === 'number' || typeof value === 'boolean' || value == null) return `${value}`
  if (Array.isArray(value)) return `an array of ${value.length}`
  return `a value of type ${typeof value}`
}

/** The known name that shares most letters and pairs of letters with the given one, if it shares enough. */
export function nearestName(word: string, known: readonly string[]): string | undefined {
  const mine = pieces(word)
  const scored = known.map((name) => {
    const theirs = pieces(name)
    const shared = [...mine].filter((piece) => theirs.has(piece)).length
    return { name, share: (2 * shared) / (mine.size + theirs.size) }
  })
  const best = scored.sort((a, b) => b.share - a.share)[0]
  return best && best.share >= 0.6 ? best.name : undefined
}

function pieces(word: string): Set<string> {
  const letters = [...word.toLowerCase()]
  return new Set([...letters, ...letters.slice(1).map((letter, i) => letters[i]! + letter)])
}

/** @throws TypeError for a key that is no option. */
export function checkKeys(given: object, known: readonly string[]): void {
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue
    const meant = nearestName(key, known)
    throw new TypeError(
      `Unknown option ${JSON.stringify(key)}${meant ? `: did you mean ${meant}?` : ''}. Known here: ${known.join(', ')}.`,
    )
  }
}
