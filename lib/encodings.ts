// Smaller forms of vectors, with the meaning of sentence-transformers' `quantize_embeddings`, and search among them.
import { expected, misuse } from './errors.ts'

/** Four bytes a dimension, one (`int8`, `uint8`), or one bit (`binary`, `ubinary`: eight signs a byte). */
export type Precision = 'float32' | 'int8' | 'uint8' | 'binary' | 'ubinary'

export type Quantized = Int8Array | Uint8Array

/** The span that one byte covers, for each dimension. Values outside it are held at its ends. */
export interface Ranges {
  /** (dimensions) */
  low: Float32Array
  /** (dimensions) */
  high: Float32Array
}

/**
 * Vectors in fewer bytes. `int8` and `uint8` cut the span of each dimension into 255 steps; `ubinary` keeps the signs,
 * first dimension in the highest bit; `binary` is the same byte less 128.
 *
 * @param ranges For `int8` and `uint8`; all vectors of an index need the same. @default {@link unitRanges}
 */
export function quantize(
  vectors: readonly Float32Array[],
  precision: 'int8',
  ranges?: Ranges,
): Int8Array[]
export function quantize(vectors: readonly Float32Array[], precision: 'binary'): Int8Array[]
export function quantize(
  vectors: readonly Float32Array[],
  precision: 'uint8',
  ranges?: Ranges,
): Uint8Array[]
export function quantize(vectors: readonly Float32Array[], precision: 'ubinary'): Uint8Array[]
export function quantize(
  vectors: readonly Float32Array[],
  precision: Exclude<Precision, 'float32'>,
  ranges?: Ranges,
): Quantized[]
export function quantize(
  vectors: readonly Float32Array[],
  precision: Exclude<Precision, 'float32'>,
  ranges?: Ranges,
): Quantized[] {
  switch (precision) {
    case 'binary':
    case 'ubinary':
      return vectors.map((vector) => signs(vector, precision))
    case 'int8':
    case 'uint8':
      return vectors.map((vector) => steps(vector, precision, ranges ?? unitRanges(vector.length)))
    default:
      throw new TypeError(expected('int8, uint8, binary or ubinary', 'precision', precision))
  }
}

/**
 * Smallest and largest value of each dimension, from vectors like those that will be quantized. Take some thousands:
 * what lies outside is held at the ends.
 */
export function rangesOf(vectors: readonly Float32Array[]): Ranges {
  const [first] = vectors
  if (!first) throw new RangeError('Expected at least one vector to take ranges from')
  const low = first.slice()
  const high = first.slice()
  for (const vector of vectors) {
    sameLength(vector, first)
    for (let i = 0; i < vector.length; i++) {
      if (vector[i]! < low[i]!) low[i] = vector[i]!
      if (vector[i]! > high[i]!) high[i] = vector[i]!
    }
  }
  return { low, high }
}

/**
 * Ranges that need no sample: one span for all dimensions of unit vectors, eight times the size of a typical value
 * (1/√dimensions). Inner products of bytes then order as those of the vectors do.
 */
export function unitRanges(dimensions: number): Ranges {
  const span = Math.min(1, 8 / Math.sqrt(dimensions))
  return {
    low: new Float32Array(dimensions).fill(-span),
    high: new Float32Array(dimensions).fill(span),
  }
}

// In single precision and cut towards zero, as NumPy does it, so that the bytes are the same.
function steps(
  vector: Float32Array,
  precision: 'int8' | 'uint8',
  { low, high }: Ranges,
): Quantized {
  sameLength(vector, low)
  sameLength(vector, high)
  const offset = precision === 'int8' ? 128 : 0
  const bytes = precision === 'int8' ? new Int8Array(vector.length) : new Uint8Array(vector.length)
  for (let i = 0; i < vector.length; i++) {
    const step = Math.fround(Math.fround(high[i]! - low[i]!) / 255)
    const place = step > 0 ? Math.fround(Math.fround(vector[i]! - low[i]!) / step) : 0
    bytes[i] = Math.trunc(Math.fround(Math.min(Math.max(place, 0), 255) - offset))
  }
  return bytes
}

function signs(vector: Float32Array, precision: 'binary' | 'ubinary'): Quantized {
  const bytes = new Uint8Array(Math.ceil(vector.length / 8))
  for (let i = 0; i < vector.length; i++) {
    if (vector[i]! > 0) bytes[i >> 3]! |= 128 >> (i & 7)
  }
  return precision === 'ubinary' ? bytes : Int8Array.from(bytes, (byte) => byte - 128)
}

/** Base64 of the bytes of a vector, little-endian: what OpenAI's `encoding_format: 'base64'` is. */
export function toBase64(vector: Float32Array | Quantized): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64')
}

/** The float32 vector in a base64 text. */
export function fromBase64(text: string): Float32Array {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length % 4 !== 0) {
    throw new RangeError(
      `Expected base64 of float32 values but received ${bytes.length} bytes, which is no multiple of 4`,
    )
  }
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
}

const bitsOf = Uint8Array.from({ length: 256 }, (_, byte) => {
  let bits = 0
  for (let rest = byte; rest > 0; rest >>= 1) bits += rest & 1
  return bits
})

/** Bits in which two binary vectors differ. */
export function hamming(a: Quantized, b: Quantized): number {
  sameKind(a, b)
  return distance(a, b)
}

function distance(a: Quantized, b: Quantized): number {
  let bits = 0
  for (let i = 0; i < a.length; i++) bits += bitsOf[(a[i]! ^ b[i]!) & 255]!
  return bits
}

/** One vector of {@link searchBinary}. */
export interface NearVector {
  /** Its place in the vectors given. */
  index: number
  /** Bits in which it differs from the query. */
  distance: number
}

/**
 * The binary vectors that differ least from a binary query, nearest first. One sign a dimension loses some order: take
 * several times what you need and {@link rescore} them.
 */
export function searchBinary(
  query: Quantized,
  vectors: readonly Quantized[],
  topN: number,
): NearVector[] {
  checkTop(topN)
  const distances = new Uint32Array(vectors.length)
  const counts = new Uint32Array(query.length * 8 + 1)
  for (const [i, vector] of vectors.entries()) {
    sameKind(query, vector)
    distances[i] = distance(query, vector)
    counts[distances[i]!]!++
  }
  let limit = 0
  for (let kept = counts[0]!; kept < topN && limit + 1 < counts.length; kept += counts[limit]!) {
    limit++
  }
  const near: NearVector[] = []
  for (const [index, distance] of distances.entries()) {
    if (distance <= limit) near.push({ index, distance })
  }
  return near.sort((a, b) => a.distance - b.distance || a.index - b.index).slice(0, topN)
}

/** One vector of {@link search}. */
export interface FoundVector {
  /** Its place in the vectors given. */
  index: number
  /** Its inner product with the query: of unit vectors, their cosine. */
  score: number
}

/**
 * The vectors most like a query, best first; equal ones keep their order. Exact: every vector is looked at, about a
 * millisecond for a thousand of 1,024 dimensions. The vectors may be float32, int8 or binary ones, as in
 * {@link rescore}.
 */
export function search(
  query: Float32Array,
  vectors: readonly (Float32Array | Quantized)[],
  topN: number,
): FoundVector[] {
  checkTop(topN)
  const best = new Best(topN)
  for (const [index, vector] of vectors.entries())
    best.offer({ index, score: product(query, vector) })
  return best.sorted()
}

/** The best so many of a stream: a binary heap with the worst of them on top. */
class Best {
  readonly #size: number
  readonly #heap: FoundVector[] = []

  constructor(size: number) {
    this.#size = size
  }

  offer(found: FoundVector): void {
    const heap = this.#heap
    if (heap.length < this.#size) {
      heap.push(found)
      this.#rise(heap.length - 1)
    } else if (isWorse(heap[0]!, found)) {
      heap[0] = found
      this.#sink(0)
    }
  }

  sorted(): FoundVector[] {
    return this.#heap.sort((a, b) => (isWorse(a, b) ? 1 : -1))
  }

  #rise(from: number): void {
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1
      if (!isWorse(this.#heap[at]!, this.#heap[parent]!)) return
      this.#swap(at, parent)
      at = parent
    }
  }

  #sink(from: number): void {
    for (let at = from; ; ) {
      let worst = at
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < this.#heap.length && isWorse(this.#heap[child]!, this.#heap[worst]!))
          worst = child
      }
      if (worst === at) return
      this.#swap(at, worst)
      at = worst
    }
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap
    ;[heap[a], heap[b]] = [heap[b]!, heap[a]!]
  }
}

function isWorse(a: FoundVector, b: FoundVector): boolean {
  return a.score < b.score || (a.score === b.score && a.index > b.index)
}

function checkTop(topN: number): void {
  if (Number.isInteger(topN) && topN >= 1) return
  throw misuse(RangeError, 'an integer of at least 1', 'topN', topN)
}

/**
 * Candidates in the order of their inner product with the float query, best first. The vectors may be float32, int8 or
 * binary ones; a binary one counts as a vector of ±1, which is enough to regain most of what one bit lost.
 */
export function rescore(
  query: Float32Array,
  candidates: readonly { index: number }[],
  vectors: readonly (Float32Array | Quantized)[],
): { index: number; score: number }[] {
  const scored = candidates.map(({ index }) => {
    const vector = vectors[index]
    if (!vector)
      throw new RangeError(`Expected a vector at ${index} but there are ${vectors.length}`)
    return { index, score: product(query, vector) }
  })
  return scored.sort((a, b) => b.score - a.score)
}

function product(query: Float32Array, vector: Float32Array | Quantized): number {
  let sum = 0
  if (vector.length === query.length) {
    for (let i = 0; i < query.length; i++) sum += query[i]! * vector[i]!
    return sum
  }
  if (tagOf(vector) === 'Float32Array' || vector.length !== Math.ceil(query.length / 8)) {
    sameLength(vector, query)
  }
  const flip = tagOf(vector) === 'Int8Array' ? 128 : 0
  for (let i = 0; i < query.length; i++) {
    const set = (vector[i >> 3]! ^ flip) & (128 >> (i & 7))
    sum += set ? query[i]! : -query[i]!
  }
  return sum
}

function sameKind(a: Quantized, b: Quantized): void {
  if (tagOf(a) !== tagOf(b)) {
    throw new TypeError('Expected two binary vectors of one kind but one is signed, one is not')
  }
  sameLength(a, b)
}

function sameLength(a: { length: number }, b: { length: number }): void {
  if (a.length === b.length) return
  throw new RangeError(`Expected vectors of one length but received ${a.length} and ${b.length}`)
}

/** The name of a typed array's class, whatever realm it is of. */
function tagOf(array: ArrayBufferView): string {
  return Object.prototype.toString.call(array).slice('[object '.length, -1)
}
