// Smaller forms of vectors, with the meaning of sentence-transformers' `quantize_embeddings`, and search among them.
import { expected } from './errors.ts'

/** Four bytes a dimension, one (`int8`, `uint8`), or one bit (`binary`, `ubinary`: eight signs a byte). */
export type Precision = 'float32' | 'int8' | 'uint8' | 'binary' | 'ubinary'

export type Quantised = Int8Array | Uint8Array

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
export function quantise(vectors: Float32Array[], precision: 'int8', ranges?: Ranges): Int8Array[]
export function quantise(vectors: Float32Array[], precision: 'binary'): Int8Array[]
export function quantise(vectors: Float32Array[], precision: 'uint8', ranges?: Ranges): Uint8Array[]
export function quantise(vectors: Float32Array[], precision: 'ubinary'): Uint8Array[]
export function quantise(
  vectors: Float32Array[],
  precision: Exclude<Precision, 'float32'>,
  ranges?: Ranges,
): Quantised[]
export function quantise(
  vectors: Float32Array[],
  precision: Exclude<Precision, 'float32'>,
  ranges?: Ranges,
): Quantised[] {
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
 * Smallest and largest value of each dimension, from vectors like those that will be quantised. Take some thousands:
 * what lies outside is held at the ends.
 */
export function rangesOf(vectors: Float32Array[]): Ranges {
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
): Quantised {
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

function signs(vector: Float32Array, precision: 'binary' | 'ubinary'): Quantised {
  const bytes = new Uint8Array(Math.ceil(vector.length / 8))
  for (let i = 0; i < vector.length; i++) {
    if (vector[i]! > 0) bytes[i >> 3]! |= 128 >> (i & 7)
  }
  return precision === 'ubinary' ? bytes : Int8Array.from(bytes, (byte) => byte - 128)
}

/** Base64 of the bytes of a vector, little-endian: what OpenAI's `encoding_format: 'base64'` is. */
export function toBase64(vector: Float32Array | Quantised): string {
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
export function hamming(a: Quantised, b: Quantised): number {
  sameKind(a, b)
  return distance(a, b)
}

function distance(a: Quantised, b: Quantised): number {
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
export function searchBinary(query: Quantised, vectors: Quantised[], topN: number): NearVector[] {
  if (!Number.isInteger(topN) || topN < 1) {
    throw new RangeError(expected('an integer of at least 1', 'topN', topN))
  }
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

/**
 * Candidates in the order of their inner product with the float query, best first. The vectors may be float32, int8 or
 * binary ones; a binary one counts as a vector of ±1, which is enough to regain most of what one bit lost.
 */
export function rescore(
  query: Float32Array,
  candidates: readonly { index: number }[],
  vectors: readonly (Float32Array | Quantised)[],
): { index: number; score: number }[] {
  const scored = candidates.map(({ index }) => {
    const vector = vectors[index]
    if (!vector)
      throw new RangeError(`Expected a vector at ${index} but there are ${vectors.length}`)
    return { index, score: product(query, vector) }
  })
  return scored.sort((a, b) => b.score - a.score)
}

function product(query: Float32Array, vector: Float32Array | Quantised): number {
  let sum = 0
  if (vector.length === query.length) {
    for (let i = 0; i < query.length; i++) sum += query[i]! * vector[i]!
    return sum
  }
  if (vector instanceof Float32Array || vector.length !== Math.ceil(query.length / 8)) {
    sameLength(vector, query)
  }
  const flip = vector instanceof Int8Array ? 128 : 0
  for (let i = 0; i < query.length; i++) {
    const set = (vector[i >> 3]! ^ flip) & (128 >> (i & 7))
    sum += set ? query[i]! : -query[i]!
  }
  return sum
}

function sameKind(a: Quantised, b: Quantised): void {
  if (a.constructor !== b.constructor) {
    throw new TypeError('Expected two binary vectors of one kind but one is signed, one is not')
  }
  sameLength(a, b)
}

function sameLength(a: { length: number }, b: { length: number }): void {
  if (a.length === b.length) return
  throw new RangeError(`Expected vectors of one length but received ${a.length} and ${b.length}`)
}
