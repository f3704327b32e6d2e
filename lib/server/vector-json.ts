// Vectors as they stand in an answer: which numbers (precision), and written how (a list or base64).
import { type Precision, quantize, toBase64 } from '../index.ts'
import type { ServedEmbedder } from './models.ts'

export interface Form {
  readonly precision: Precision
  readonly isBase64: boolean
}

/** One JSON value for each vector, made when asked for. */
export function* vectorsJson(
  vectors: Iterable<Float32Array>,
  { precision, isBase64 }: Form,
  served: ServedEmbedder,
): Generator<string> {
  for (const vector of vectors) {
    if (precision === 'float32') {
      yield isBase64 ? `"${toBase64(vector)}"` : floatsJson(vector)
      continue
    }
    const [bytes] = quantize([vector], precision, served.ranges(vector.length))
    yield isBase64 ? `"${toBase64(bytes!)}"` : `[${bytes!.join(',')}]`
  }
}

/** The shortest of a few roundings that give back the same float32: two thirds of the characters of its double. */
export function floatsJson(vector: Float32Array): string {
  const numbers = new Array<number>(vector.length)
  for (let i = 0; i < vector.length; i++) {
    const value = vector[i]!
    const nine = Math.round(value * 1e9) / 1e9
    const eleven = Math.round(value * 1e11) / 1e11
    numbers[i] = Math.fround(nine) === value ? nine : Math.fround(eleven) === value ? eleven : value
  }
  return `[${numbers.join(',')}]`
}

/** (rows × width) as its rows. */
export function* rowsOf(matrix: Float32Array, width: number): Generator<Float32Array> {
  for (let i = 0; i < matrix.length; i += width) yield matrix.subarray(i, i + width)
}
