// What a word is, the same for documents and for questions.
import { stemmer } from 'stemmer'

/** Scripts written without spaces. */
const unspaced =
  '\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}\\p{sc=Hangul}\\p{sc=Thai}\\p{sc=Lao}\\p{sc=Khmer}\\p{sc=Myanmar}ー々〆'
const isUnspaced = new RegExp(`[${unspaced}]`, 'u')
const first = `[[\\p{L}\\p{N}_]--[${unspaced}]]`
const later = `[[\\p{L}\\p{N}\\p{M}_]--[${unspaced}]]`
const ties = "[.\\-\\/@:'’#+]"
/** A run of such letters; or words, with what ties them together: `a_b`, `1.0.21`, `lib/a.ts`, `me@home.org`. */
const runs = new RegExp(
  `[${unspaced}][${unspaced}\\p{M}]*|${first}${later}*(?:${ties}${first}${later}*)*`,
  'gv',
)
/** The same of texts that are ASCII alone, at twice the speed. */
const asciiRuns = /\w+(?:[.\-/@:'#+]\w+)*/g
const parts = /\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+|\p{L}\p{M}*|\p{N}+/gu
const ascii = /^[\0-\x7f]*$/
const longest = 64

/**
 * The words of a text in their order, as they are kept: lower case, without accents, English ones by their stem.
 * Identifiers, numbers of versions, paths and addresses stand whole and in parts; Chinese, Japanese, Korean, Thai and
 * the like as pairs of neighbouring letters.
 */
export function termsOf(text: string): string[] {
  const terms: string[] = []
  const plain = ascii.test(text)
  const folded = plain ? text : text.normalize('NFKC')
  for (const [run] of folded.matchAll(plain ? asciiRuns : runs)) {
    if (!plain && isUnspaced.test(run[0]!)) pairsOf(run, terms)
    else wordsOf(run, terms)
  }
  return terms
}

/** Overlapping pairs; the last letter once more alone, so that any single one can be found as a beginning. */
function pairsOf(run: string, terms: string[]): void {
  const letters = [...run.replace(/\p{M}/gu, '')]
  if (letters.length === 0) return
  for (let i = 0; i + 1 < letters.length; i++) terms.push(letters[i]! + letters[i + 1]!)
  terms.push(letters.at(-1)!)
}

function wordsOf(run: string, terms: string[]): void {
  const pieces = run.split(/[.\-/@:'’#+]/)
  // Hyphens and apostrophes tie words together that are found one by one.
  if (pieces.length > 1 && (/[./@:#+]/.test(run) || /\d/.test(run)))
    push(lowered(run.replace(/['’]s$/, '')), terms)
  for (const piece of pieces) wordOf(piece, terms)
}

function wordOf(word: string, terms: string[]): void {
  if (word === '') return
  const lower = lowered(word)
  push(stemOf(lower), terms)
  if (!/[_\d]|\p{Ll}\p{Lu}|\p{Lu}\p{Lu}\p{Ll}/u.test(word)) return
  const found = word.match(parts)
  if (!found || found.length < 2) return
  for (const part of found) push(stemOf(lowered(part)), terms)
}

function push(term: string, terms: string[]): void {
  if (term !== '') terms.push(term.length > longest ? term.slice(0, longest) : term)
}

function lowered(word: string): string {
  const lower = word.toLowerCase()
  return ascii.test(lower) ? lower : lower.normalize('NFD').replace(/\p{M}/gu, '')
}

const stems = new Map<string, string>()
const mostStems = 50_000

function stemOf(word: string): string {
  if (word.length < 3 || !/^[a-z]+$/.test(word)) return word
  const known = stems.get(word)
  if (known !== undefined) return known
  if (stems.size >= mostStems) stems.clear()
  const stem = stemmer(word)
  stems.set(word, stem)
  return stem
}
