// A question as it is typed: words that help, phrases that must occur, words that must not.
import { termsOf } from './terms.ts'

export interface Query {
  /** What the model is asked: everything but what must not occur. */
  readonly text: string
  /** Each once, in their order. */
  readonly terms: readonly string[]
  /** Terms that stand next to each other in every passage found. */
  readonly phrases: readonly (readonly string[])[]
  /** Terms, or phrases, that stand in none. */
  readonly without: readonly (readonly string[])[]
  /** The one word of the question, when that is all it is and it looks like a name in code. */
  readonly identifier: string | undefined
}

const mostTerms = 64

export function readQuery(given: string): Query {
  const phrases: string[][] = []
  const without: string[][] = []
  const text = given
    .replace(/(^|\s)-(?:"([^"]*)"|(?=[\p{L}_])(\S+))/gu, (_, space: string, phrase, word) => {
      without.push(phraseOf(phrase ?? word))
      return space
    })
    .replace(/"([^"]+)"/g, (_, phrase: string) => {
      phrases.push(phraseOf(phrase))
      return phrase
    })
    .trim()
  const some = (terms: readonly string[]) => terms.length > 0
  return {
    text,
    terms: [...new Set(termsOf(text))].slice(0, mostTerms),
    phrases: phrases.filter(some),
    without: without.filter(some),
    identifier: identifierOf(text),
  }
}

/** Passages with any of the terms, for FTS5; undefined where there are none. */
export function anyOf(terms: readonly string[]): string | undefined {
  if (terms.length === 0) return undefined
  return terms.map((term) => quoted([term]) + (isSingleLetter(term) ? '*' : '')).join(' OR ')
}

/** Passages with the terms side by side. */
export function quoted(terms: readonly string[]): string {
  return `"${terms.join(' ').replaceAll('"', '""')}"`
}

/** The single letter at the end of a run is no part of a phrase, which may end within one. */
function phraseOf(text: string): string[] {
  const terms = termsOf(text)
  return terms.length > 1 && isSingleLetter(terms.at(-1)!) ? terms.slice(0, -1) : terms
}

/** Of a script without spaces: any pair may begin with it. */
function isSingleLetter(term: string): boolean {
  return /^[^\0-\u0dff]$/u.test(term)
}

function identifierOf(text: string): string | undefined {
  if (!/^[\p{L}_$][\p{L}\p{N}_$.:]*(\(\))?$/u.test(text)) return undefined
  const name = text.replace('()', '')
  return /[_$.:\d]|\p{Ll}\p{Lu}|\(\)$/u.test(text) ? name : undefined
}
