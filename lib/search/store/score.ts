// Scores of all chunks in scope for one question: meaning and words, each scaled by what this very question finds.
import { scan } from '../../database.ts'
import { anyGlob } from '../glob.ts'
import type { Request } from '../types.ts'
import { anyOf, type Query, quoted } from '../words/query.ts'
import { usualWeight } from '../weight.ts'
import { codesOf } from './codes.ts'
import type { Memory, Space } from './memory.ts'
import type { Store } from './store.ts'

/** By chunk id, (places) each. */
export interface Scores {
  /** 1 where a chunk may be an answer. */
  readonly scope: Uint8Array
  readonly total: Float32Array
  /** (cos − mean) / (best − mean) over the scope; 0 where there is no vector. */
  readonly meaning: Float32Array
  readonly cosines: Float32Array
  /** BM25. */
  readonly words: Float32Array
  readonly by: Uint8Array
  /** The best cosine of the space that serves most chunks. */
  readonly bestCosine: number
  readonly floor: number | null
}

export const byWords = 0
export const byStandIn = 1
export const byMain = 2

const nameWeight = 0.3

const cosineUnit = 2 ** 30
const rescoreDepth = 400

/** What the ranks of reciprocal rank fusion are added to, and how deep they go. */
const rankOffset = 60
const rankDepth = 100

export function scoresOf(store: Store, query: Query, request: Request): Scores {
  const { memory } = store
  const { places } = memory
  const scope = scopeOf(store, query, request)
  const words = new Float32Array(places)
  const expression = anyOf(query.terms)
  if (expression !== undefined && memory.chunks > 0)
    store.database.scoreWords(
      expression,
      memory.lengths.subarray(0, places),
      { mean: memory.meanLength, chunks: memory.chunks },
      words,
    )
  const meaning = new Float32Array(places)
  const cosines = new Float32Array(places)
  const by = new Uint8Array(places)
  let [bestCosine, floor] = [Number.NaN, null as number | null]
  // The main space last: its values stand where it has any.
  for (const space of spacesOf(memory, request)) {
    const found = meaningOf(space, vectorOf(request, space), scope, places)
    if (!found) continue
    const mark = space.role === 'main' ? byMain : byStandIn
    for (let id = 0; id < places; id++) {
      if (scope[id] === 0 || Number.isNaN(space.scales[id]!)) continue
      meaning[id] = found.scaled[id]!
      cosines[id] = found.cosines[id]!
      by[id] = mark
    }
    bestCosine = found.best
    floor = space.floor
  }
  const weights = [0, 0, 0]
  for (const { role, weight } of spacesOf(memory, request))
    weights[role === 'main' ? byMain : byStandIn] = alphaOf(query, weight)
  const total = fused({ meaning, words, scope, by, weights }, request)
  return { scope, total, meaning, cosines, words, by, bestCosine, floor }
}

/** Spaces that have a vector of the question, the main one last. */
function spacesOf(memory: Memory, request: Request): Space[] {
  const asked = [...memory.spaces.values()].filter(
    (space) => space.present > 0 && request.vectors.some((one) => one.space === space.id),
  )
  return asked.sort((a, b) => Number(a.role === 'main') - Number(b.role === 'main'))
}

function vectorOf(request: Request, space: Space): Float32Array {
  return request.vectors.find((one) => one.space === space.id)!.vector
}

/** Filters come before scores: the best of what was asked for, not what is left of the best. */
function scopeOf(store: Store, query: Query, request: Request): Uint8Array {
  const { memory, database } = store
  const scope = new Uint8Array(memory.places)
  const inside = anyGlob(request.in)
  const types = request.types?.length ? new Set<string>(request.types) : undefined
  const { since = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY } = request
  for (const file of memory.files.values()) {
    if (file.date < since || file.date >= until) continue
    if (types && !types.has(file.kind)) continue
    if (inside && !inside(file.path)) continue
    for (const chunk of file.chunks) scope[chunk] = 1
  }
  const having = (terms: readonly string[]) => {
    const found = database.rows<[number]>('SELECT rowid FROM lex WHERE lex MATCH ?', quoted(terms))
    return found.map(([id]) => id)
  }
  for (const terms of query.phrases) {
    const has = new Uint8Array(memory.places)
    for (const id of having(terms)) has[id] = 1
    for (let id = 0; id < scope.length; id++) scope[id]! &= has[id]!
  }
  for (const terms of query.without) for (const id of having(terms)) scope[id] = 0
  return scope
}

function meaningOf(space: Space, vector: Float32Array, scope: Uint8Array, places: number) {
  const cosines = new Float32Array(places)
  const query = codesOf(vector)
  scan(space.codes, space.scales, space.width, query, cosines)
  rescore(space, vector, scope, cosines)
  let [sum, count, best] = [0, 0, Number.NEGATIVE_INFINITY]
  for (let id = 0; id < places; id++) {
    if (scope[id] === 0 || Number.isNaN(space.scales[id]!)) continue
    // Whole numbers add up to the same whatever their order: ids say nothing about an answer.
    sum += Math.round(cosines[id]! * cosineUnit)
    count++
    if (cosines[id]! > best) best = cosines[id]!
  }
  if (count === 0) return undefined
  const mean = sum / cosineUnit / count
  const span = best - mean
  const scaled = cosines.map((cosine) => (span > 0 ? (cosine - mean) / span : 1))
  return { cosines, scaled, best }
}

/** The nearest once more, with the question's own numbers in place of its codes. */
function rescore(
  space: Space,
  vector: Float32Array,
  scope: Uint8Array,
  cosines: Float32Array,
): void {
  const { codes, scales, width } = space
  const has = scope.map((inside, id) => (inside === 1 && !Number.isNaN(scales[id]!) ? 1 : 0))
  for (const id of best(cosines, has, rescoreDepth)) {
    let sum = 0
    for (let i = 0, at = id * width; i < width; i++) sum += vector[i]! * codes[at + i]!
    cosines[id] = sum * scales[id]!
  }
}

interface Parts {
  readonly meaning: Float32Array
  readonly words: Float32Array
  readonly scope: Uint8Array
  readonly by: Uint8Array
  /** How much meaning counts, by what a chunk has it from. */
  readonly weights: readonly number[]
}

function fused({ meaning, words, scope, by, weights }: Parts, request: Request): Float32Array {
  const total = new Float32Array(meaning.length)
  let mostWords = 0
  let vectors = 0
  for (let id = 0; id < words.length; id++) {
    if (scope[id] === 0) continue
    if (words[id]! > mostWords) mostWords = words[id]!
    if (by[id] !== byWords) vectors++
  }
  const fixed = vectors === 0 ? 0 : mostWords === 0 ? 1 : request.alpha
  const isMixed = fixed === undefined || (fixed > 0 && fixed < 1)
  if (request.fusion === 'ranks' && isMixed) return byRanks(meaning, words, scope)
  // A chunk without a vector is weighed as those that have one.
  const usual = Math.max(weights[byMain]!, weights[byStandIn]! * (weights[byMain] === 0 ? 1 : 0))
  const alphas = [usual, weights[byStandIn]!, weights[byMain]!].map((one) => fixed ?? one)
  for (let id = 0; id < total.length; id++) {
    if (scope[id] === 0) continue
    const alpha = alphas[by[id]!]!
    total[id] = alpha * meaning[id]! + (mostWords > 0 ? ((1 - alpha) * words[id]!) / mostWords : 0)
  }
  return total
}

/** Who asks for a name wants the name. */
function alphaOf(query: Query, measured: number | null): number {
  const alpha = measured ?? usualWeight
  return query.identifier === undefined ? alpha : Math.min(alpha, nameWeight)
}

/** Reciprocal ranks, for comparison. */
function byRanks(meaning: Float32Array, words: Float32Array, scope: Uint8Array): Float32Array {
  const total = new Float32Array(meaning.length)
  for (const scores of [meaning, words])
    for (const [rank, id] of best(scores, scope, rankDepth).entries())
      if (scores !== words || words[id]! > 0) total[id]! += 1 / (rankOffset + rank + 1)
  return total
}

/** Ids of the highest scores in scope, best first; of equal ones the lower id. */
export function best(scores: Float32Array, scope: Uint8Array, count: number): number[] {
  const heap: number[] = []
  const worse = (a: number, b: number) =>
    scores[a]! < scores[b]! || (scores[a] === scores[b] && a > b)
  const sink = (start: number) => {
    for (let i = start; ; ) {
      let least = i
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < heap.length && worse(heap[child]!, heap[least]!)) least = child
      if (least === i) return
      ;[heap[i], heap[least]] = [heap[least]!, heap[i]!]
      i = least
    }
  }
  for (let id = 0; id < scores.length; id++) {
    if (scope[id] === 0) continue
    if (heap.length < count) {
      heap.push(id)
      if (heap.length === count) for (let i = (count >> 1) - 1; i >= 0; i--) sink(i)
    } else if (worse(heap[0]!, id)) {
      heap[0] = id
      sink(0)
    }
  }
  return heap.sort((a, b) => scores[b]! - scores[a]! || a - b)
}
