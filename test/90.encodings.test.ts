import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  Embedder,
  fromBase64,
  hamming,
  quantize,
  rangesOf,
  rescore,
  searchBinary,
  similarity,
  toBase64,
  unitRanges,
} from '../lib/index.ts'
import { fillNormal } from './fixtures/random.ts'

const rows = (lists: number[][]) => lists.map((list) => Float32Array.from(list))
const lists = (vectors: Iterable<ArrayLike<number>>) => [...vectors].map((one) => Array.from(one))

// NumPy 2.4.6 running the lines of sentence-transformers' quantize_embeddings (quantization.py, 2b29783) on random
// vectors, which for int8 and uint8 lie inside the ranges: outside them its casts wrap around, and ours stop.
const golden = JSON.parse(
  readFileSync(new URL('fixtures/quantised.json', import.meta.url), 'utf8'),
) as Record<'vectors' | 'int8' | 'uint8' | 'signs' | 'binary' | 'ubinary', number[][]> &
  Record<'low' | 'high', number[]>
const ranges = { low: Float32Array.from(golden.low), high: Float32Array.from(golden.high) }

describe('quantize', () => {
  it.each(['int8', 'uint8'] as const)(
    'gives the bytes of sentence-transformers: %s',
    (precision) => {
      expect(lists(quantize(rows(golden.vectors), precision, ranges))).toEqual(golden[precision])
    },
  )

  it.each(['binary', 'ubinary'] as const)(
    'gives the bytes of sentence-transformers: %s',
    (precision) => {
      expect(lists(quantize(rows(golden.signs), precision as 'binary'))).toEqual(golden[precision])
    },
  )

  it('holds values outside the ranges at their ends', () => {
    const one = { low: Float32Array.of(-1, -1), high: Float32Array.of(1, 1) }
    expect(lists(quantize(rows([[9, -9]]), 'int8', one))).toEqual([[127, -128]])
    expect(lists(quantize(rows([[9, -9]]), 'uint8', one))).toEqual([[255, 0]])
  })

  it('needs ranges of the vectors’ own length', () => {
    expect(() => quantize(rows([[1, 2, 3]]), 'int8', unitRanges(2))).toThrow(RangeError)
    expect(() => quantize(rows([[1]]), 'float32' as 'int8')).toThrow(
      'int8, uint8, binary or ubinary',
    )
  })
})

describe('rangesOf', () => {
  it('is the smallest and the largest of each dimension', () => {
    const { low, high } = rangesOf(
      rows([
        [1, 5],
        [-2, 7],
        [0, 6],
      ]),
    )
    expect([...low, ...high]).toEqual([-2, 5, 1, 7])
    expect(() => rangesOf([])).toThrow(RangeError)
  })
})

describe('base64', () => {
  it('is of little-endian float32, there and back', () => {
    const vector = Float32Array.of(1, -2.5, 0.1)
    expect(toBase64(vector)).toBe('AACAPwAAIMDNzMw9')
    expect(fromBase64(toBase64(vector))).toEqual(vector)
    expect(toBase64(vector.subarray(1, 2))).toBe(toBase64(Float32Array.of(-2.5)))
    expect(() => fromBase64('AAAA')).toThrow('multiple of 4')
  })
})

describe('binary search', () => {
  const vectors = Array.from({ length: 500 }, (_, i) => {
    const vector = new Float32Array(64)
    fillNormal(vector, 0, 64, 11, i, 1)
    return vector
  })

  it.each(['binary', 'ubinary'] as const)('finds what a full sort finds: %s', (precision) => {
    const bytes = quantize(vectors, precision as 'binary')
    for (const topN of [1, 7, 500, 900]) {
      const near = searchBinary(bytes[3]!, bytes, topN)
      const all = bytes
        .map((vector, index) => ({ index, distance: hamming(bytes[3]!, vector) }))
        .sort((a, b) => a.distance - b.distance || a.index - b.index)
      expect(near).toEqual(all.slice(0, topN))
      expect(near[0]).toEqual({ index: 3, distance: 0 })
    }
  })

  it('counts signs that differ', () => {
    for (const [i, j] of [
      [0, 1],
      [2, 9],
    ] as const) {
      const differing = vectors[i]!.filter((x, k) => x > 0 !== vectors[j]![k]! > 0).length
      const [a, b] = quantize([vectors[i]!, vectors[j]!], 'binary')
      expect(hamming(a!, b!)).toBe(differing)
    }
  })

  it('refuses to compare signed with unsigned bytes, and other lengths', () => {
    const [signed] = quantize(vectors, 'binary')
    const [unsigned] = quantize(vectors, 'ubinary')
    expect(() => hamming(signed!, unsigned!)).toThrow(TypeError)
    expect(() => hamming(signed!, signed!.subarray(1))).toThrow(RangeError)
    expect(() => searchBinary(signed!, [signed!], 0)).toThrow(RangeError)
  })

  it('is rescored by the float query, whatever the vectors are', () => {
    const query = vectors[3]!
    const candidates = searchBinary(
      quantize([query], 'binary')[0]!,
      quantize(vectors, 'binary'),
      50,
    )
    const byFloats = rescore(query, candidates, vectors)
    expect(byFloats.map(({ score }) => score)).toEqual(
      candidates.map(({ index }) => similarity(query, vectors[index]!)).sort((a, b) => b - a),
    )
    const signs = query.map((x) => (x > 0 ? 1 : -1))
    for (const precision of ['binary', 'ubinary'] as const) {
      const [best] = rescore(query, candidates, quantize(vectors, precision as 'binary'))
      expect(best!.index).toBe(3)
      expect(best!.score).toBeCloseTo(similarity(query, signs), 4)
    }
    expect(() => rescore(query, [{ index: 999 }], vectors)).toThrow(RangeError)
    expect(() => rescore(query, [{ index: 0 }], [new Float32Array(3)])).toThrow(RangeError)
  })
})

describe('of real vectors', () => {
  const subjects = ['the weather', 'a loan', 'my printer', 'the train', 'a recipe', 'the election']
  const texts = subjects.flatMap((subject) =>
    ['tell me about', 'I am angry with', 'who knows', 'yesterday I dreamt of', 'a book on'].map(
      (start) => `${start} ${subject}`,
    ),
  )
  let embedder: Embedder
  let vectors: Float32Array[]
  beforeAll(async () => {
    embedder = await Embedder.load('mini')
    vectors = await embedder.embedDocuments(texts)
  })
  afterAll(() => embedder.close())

  it('int8 keeps similarities to within a hundredth', () => {
    const bytes = quantize(vectors, 'int8')
    const cosine = (a: Int8Array, b: Int8Array) => {
      const [x, y] = [Float32Array.from(a, (v) => v + 0.5), Float32Array.from(b, (v) => v + 0.5)]
      return similarity(x, y) / Math.sqrt(similarity(x, x) * similarity(y, y))
    }
    for (let i = 1; i < vectors.length; i++) {
      const exact = similarity(vectors[0]!, vectors[i]!)
      expect(Math.abs(cosine(bytes[0]!, bytes[i]!) - exact)).toBeLessThan(0.01)
    }
  })

  it('one bit a dimension, rescored, finds the nearest', () => {
    const bits = quantize(vectors, 'ubinary')
    let found = 0
    for (const [i, query] of vectors.entries()) {
      const others = vectors.map((vector, j) => (j === i ? -1 : similarity(query, vector)))
      const nearest = others.indexOf(Math.max(...others))
      const candidates = searchBinary(bits[i]!, bits, 9).filter(({ index }) => index !== i)
      if (rescore(query, candidates, vectors)[0]!.index === nearest) found++
    }
    expect(found / vectors.length).toBeGreaterThan(0.95)
  })
})
