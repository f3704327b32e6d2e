// Passages of an index that look for themselves: a sentence is the question, the rest of its passage the answer.
import { scan } from '../../database.ts'
import { mostProbes, weights } from '../weight.ts'
import { anyOf, readQuery } from '../words/query.ts'
import { termsOf } from '../words/terms.ts'
import { type Candidate, candidate, Texts } from './candidates.ts'
import { codesOf } from './codes.ts'
import { inputOf, type Store } from './store.ts'

export interface Probe {
  /** Of the passage, hex. */
  readonly hash: string
  readonly sentence: string
  /** What is embedded of the passage without the sentence. */
  readonly rest: string
  /** Its vectors are here already. */
  readonly isKnown: boolean
}

export interface ProbeVectors {
  readonly hash: string
  readonly question: Float32Array
  readonly rest: Float32Array
}

/** Passages that are looked at for sentences, at most. */
const looked = 6 * mostProbes
const fewestSentences = 3
const fewestTerms = 6
const longestSentence = 300
const sentenceEnd = /(?<=[.!?…])\s+|(?<=[。！？])|\n\s*\n/
const [k1, b] = [1.2, 0.75]
const headWeight = 2

/** The passages with the lowest hashes that have sentences: the same ones whatever the order of indexing was. */
export function probes(store: Store, space: number): Probe[] {
  return store.reading(() => {
    const rows = store.database.rows<[Uint8Array, number]>(
      'SELECT hash, min(id) FROM chunk GROUP BY hash ORDER BY hash LIMIT ?',
      looked,
    )
    const known = new Set(
      store.database
        .rows<[Uint8Array]>('SELECT hash FROM probe WHERE space = ?', space)
        .map(([hash]) => Buffer.from(hash).toString('hex')),
    )
    const found: Probe[] = []
    for (const [, id] of rows) {
      if (found.length === mostProbes) break
      const one = candidate(store, id, 0)
      const parts = partsOf(store, one)
      if (!parts) continue
      const rest = inputOf(one.head, parts.rest)
      found.push({ hash: one.hash, sentence: parts.sentence, rest, isKnown: known.has(one.hash) })
    }
    return found
  })
}

/** Those of other passages go. */
export function putProbes(
  store: Store,
  space: number,
  { hashes, fresh }: { hashes: readonly string[]; fresh: readonly ProbeVectors[] },
): void {
  const bytesOf = (vector: Float32Array) =>
    new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength)
  const wanted = new Set(hashes)
  store.writing(() => {
    const rows = store.database.rows<[Uint8Array]>('SELECT hash FROM probe WHERE space = ?', space)
    for (const [hash] of rows)
      if (!wanted.has(Buffer.from(hash).toString('hex')))
        store.database.rows('DELETE FROM probe WHERE space = ? AND hash = ?', space, hash)
    for (const { hash, question, rest } of fresh)
      store.database.rows(
        'INSERT OR REPLACE INTO probe VALUES (?, ?, ?, ?)',
        ...[space, Buffer.from(hash, 'hex'), bytesOf(question), bytesOf(rest)],
      )
  })
}

/**
 * Where the rest of a passage stands among all others when its sentence is asked.
 *
 * @returns 1 / rank under each of `weights`; undefined if the passage is gone
 */
export function probeRanks(store: Store, space: number, hash: string): number[] | undefined {
  return store.reading(() => {
    const { database, memory } = store
    const key = Buffer.from(hash, 'hex')
    const [id] = database.row<[number]>('SELECT min(id) FROM chunk WHERE hash = ?', key) ?? []
    const row = database.row<[Uint8Array, Uint8Array]>(
      'SELECT question, rest FROM probe WHERE space = ? AND hash = ?',
      ...[space, key],
    )
    const one = id ? candidate(store, id, 0) : undefined
    const parts = one && partsOf(store, one)
    if (!row || !parts) return undefined
    const { codes, scales, width } = memory.spaces.get(space)!
    const question = vectorOf(row[0])
    const cosines = new Float32Array(memory.places)
    scan(codes, scales, width, codesOf(question), cosines)
    const rest = vectorOf(row[1])
    const meaning = question.reduce((sum, value, i) => sum + value * rest[i]!, 0)
    const { all, own } = wordsOf(store, parts.sentence, one, parts.rest)
    const counts = (other: number) =>
      memory.owners[other] !== 0 && other !== id && !Number.isNaN(scales[other]!)
    return ranksOf({ cosines, meaning, words: all, own, counts })
  })
}

interface Scored {
  readonly cosines: Float32Array
  readonly words: Float32Array
  /** Of the rest of the passage. */
  readonly meaning: number
  readonly own: number
  readonly counts: (id: number) => boolean
}

function ranksOf({ cosines, words, meaning, own, counts }: Scored): number[] {
  let [sum, n, nearest, most] = [meaning, 1, meaning, own]
  for (let id = 0; id < cosines.length; id++) {
    if (!counts(id)) continue
    sum += cosines[id]!
    n++
    if (cosines[id]! > nearest) nearest = cosines[id]!
    if (words[id]! > most) most = words[id]!
  }
  const mean = sum / n
  const span = nearest - mean || 1
  const score = (weight: number, cosine: number, bm25: number) =>
    (weight * (cosine - mean)) / span + (most > 0 ? ((1 - weight) * bm25) / most : 0)
  return weights.map((weight) => {
    const mine = score(weight, meaning, own)
    let rank = 1
    for (let id = 0; id < cosines.length; id++)
      if (counts(id) && score(weight, cosines[id]!, words[id]!) > mine) rank++
    return 1 / rank
  })
}

/** BM25 of all passages, and of one without the sentence. */
function wordsOf(store: Store, sentence: string, { head, file }: Candidate, rest: string) {
  const { database, memory } = store
  const { chunks, meanLength, places } = memory
  const { terms } = readQuery(plain(sentence))
  const all = new Float32Array(places)
  const expression = anyOf(terms)
  if (expression === undefined) return { all, own: 0 }
  database.scoreWords(
    expression,
    memory.lengths.subarray(0, places),
    { mean: meanLength, chunks },
    all,
  )
  const body = termsOf(rest)
  const above = termsOf(`${head} ${file.path.split('/').slice(-2).join(' ')}`)
  const length = (body.length + above.length) / meanLength
  let own = 0
  for (const term of terms) {
    const times = count(body, term) + headWeight * count(above, term)
    if (times === 0) continue
    const [having] = database.row<[number]>(
      'SELECT count(*) FROM lex WHERE lex MATCH ?',
      anyOf([term])!,
    )!
    const rarity = Math.max(1e-6, Math.log((chunks - having + 0.5) / (having + 0.5)))
    own += (rarity * times * (k1 + 1)) / (times + k1 * (1 - b + b * length))
  }
  return { all, own }
}

/** A sentence and what is left; undefined where a passage has too few of them. */
function partsOf(store: Store, { file, start, stop, hash }: Candidate) {
  if (file.kind === 'code') return undefined
  const text = new Texts(store).of(file.id).slice(start, stop)
  const pieces = text.split(sentenceEnd)
  if (pieces.length < fewestSentences) return undefined
  const sentences = pieces.filter(
    (one) => one.length <= longestSentence && new Set(termsOf(one)).size >= fewestTerms,
  )
  if (sentences.length === 0) return undefined
  const sentence = sentences[Number.parseInt(hash.slice(0, 8), 16) % sentences.length]!
  const at = text.indexOf(sentence)
  return {
    sentence: plain(sentence),
    rest: `${text.slice(0, at)} ${text.slice(at + sentence.length)}`,
  }
}

/** Its signs are no operators. */
function plain(sentence: string): string {
  return sentence
    .replace(/["\s]+/g, ' ')
    .replace(/(^|\s)-+/g, '$1')
    .trim()
}

function vectorOf(bytes: Uint8Array): Float32Array {
  return new Float32Array(bytes.slice().buffer)
}

function count(terms: readonly string[], term: string): number {
  return terms.reduce((n, one) => n + (one === term ? 1 : 0), 0)
}
