// Vectors as a byte for each value and one scale: nearest neighbours are the same in 997 of 1,000 (docs/search.md).

export interface Codes {
  readonly codes: Int8Array
  readonly scale: number
}

/** The scale of a chunk that has no vector yet. */
export const absent = Number.NaN

export function codesOf(vector: Float32Array): Codes {
  let largest = 0
  for (const value of vector) largest = Math.max(largest, Math.abs(value))
  const codes = new Int8Array(vector.length)
  if (largest === 0) return { codes, scale: 0 }
  for (let i = 0; i < vector.length; i++) codes[i] = Math.round((vector[i]! * 127) / largest)
  return { codes, scale: largest / 127 }
}
