import { quantize } from '../../index.ts'
import type { Matrix } from '../learn/logistic.ts'

export type { Matrix }

/** What is kept of a document's vector: all of it, a byte or a bit for each dimension. */
export type Encoding = 'float32' | 'int8' | 'binary'

export const encodings: readonly Encoding[] = ['float32', 'int8', 'binary']

/**
 * Rows cut to their first dimensions, scaled to unit length, and rounded as an index would keep them. Of bytes and bits
 * the numbers are what {@link quantize} gives: their inner products with a query order as those of the vectors, nearly.
 */
export function encode(
  { values, rows, width }: Matrix,
  dimensions: number,
  encoding: Encoding,
): Matrix {
  const whole = new Float32Array(new SharedArrayBuffer(4 * rows * dimensions))
  for (let row = 0; row < rows; row++) {
    const kept = values.subarray(row * width, row * width + dimensions)
    const target = whole.subarray(row * dimensions, (row + 1) * dimensions)
    target.set(dimensions === width ? kept : unit(kept))
    if (encoding === 'int8') target.set(quantize([target], 'int8')[0]!)
    else if (encoding === 'binary')
      for (let i = 0; i < dimensions; i++) target[i] = target[i]! > 0 ? 1 : -1
  }
  return { values: whole, rows, width: dimensions }
}

export function unit(vector: Float32Array): Float32Array {
  const length = Math.sqrt(dot(vector, 0, vector, 0, vector.length))
  return length === 0 ? vector : vector.map((x) => x / length)
}

/** Rows of unit length, for cosines. */
export function normalised({ values, rows, width }: Matrix): Matrix {
  const whole = new Float32Array(new SharedArrayBuffer(4 * rows * width))
  for (let row = 0; row < rows; row++)
    whole.set(unit(values.subarray(row * width, (row + 1) * width)), row * width)
  return { values: whole, rows, width }
}

/** Summed in double, always in this order: the same numbers on every machine. */
export function dot(a: Float32Array, i: number, b: Float32Array, j: number, width: number): number {
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  let k = 0
  for (; k + 3 < width; k += 4) {
    s0 += a[i + k]! * b[j + k]!
    s1 += a[i + k + 1]! * b[j + k + 1]!
    s2 += a[i + k + 2]! * b[j + k + 2]!
    s3 += a[i + k + 3]! * b[j + k + 3]!
  }
  for (; k < width; k++) s0 += a[i + k]! * b[j + k]!
  return s0 + s1 + (s2 + s3)
}
