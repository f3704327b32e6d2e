import { Embedder, similarity } from 'qwen3-embed'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { documents, queries, sentencePairs } from './fixtures/sentences.ts'

let embedder: Embedder
beforeAll(async () => {
  embedder = await Embedder.load('mini')
})
afterAll(() => embedder.close())

describe('the bundled model', () => {
  it('says that it is not a Qwen model', () => {
    expect(embedder.info).toMatchObject({
      name: 'mini-embed',
      architecture: 'qwen3',
      bundled: true,
      quantization: 'Q8_0',
      pooling: 'last',
      width: 256,
      layers: 4,
    })
  })

  // models/mini/README.md, "Sanity list": cosines to two digits.
  it.each(queries)('finds what "$query" is about', async ({ query, top }) => {
    const vector = await embedder.embedQuery(query)
    const vectors = await embedder.embedDocuments(documents)
    const ranked = documents
      .map((text, i) => ({ text, score: similarity(vector, vectors[i]!) }))
      .sort((a, b) => b.score - a.score)
    for (const [i, { text, score }] of top.entries()) {
      expect(ranked[i]!.text).toBe(text)
      expect(ranked[i]!.score).toBeCloseTo(score, 1.7)
    }
  })

  // The published figure is Spearman 74.6 on 1,379 pairs of STS-B. On this small sample of our own, labelled by hand in
  // the same 0..5 manner, chance alone moves a rank correlation by about 0.1: it must not fall below 0.6.
  it('orders sentence pairs as people do', async () => {
    const left = await embedder.embed(sentencePairs.map(([a]) => a))
    const right = await embedder.embed(sentencePairs.map(([, b]) => b))
    const cosines = left.map((vector, i) => similarity(vector, right[i]!))
    expect(
      spearman(
        cosines,
        sentencePairs.map(([, , score]) => score),
      ),
    ).toBeGreaterThan(0.6)
  })

  it('keeps its order in 128 and 64 dimensions', async () => {
    for (const dimensions of [128, 64]) {
      const vector = await embedder.embedQuery('German capital', { dimensions })
      const vectors = await embedder.embedDocuments(documents, { dimensions })
      const scores = vectors.map((v) => similarity(vector, v))
      expect(documents[scores.indexOf(Math.max(...scores))]).toBe(
        'Berlin is the capital of Germany.',
      )
    }
  })
})

function spearman(a: number[], b: number[]): number {
  const [x, y] = [ranks(a), ranks(b)]
  const mean = (a.length - 1) / 2
  let [xy, xx, yy] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    xy += (x[i]! - mean) * (y[i]! - mean)
    xx += (x[i]! - mean) ** 2
    yy += (y[i]! - mean) ** 2
  }
  return xy / Math.sqrt(xx * yy)
}

/** Ranks from 0, ties sharing their mean. */
function ranks(values: number[]): number[] {
  const sorted = [...values].sort((a, b) => a - b)
  return values.map((value) => (sorted.indexOf(value) + sorted.lastIndexOf(value)) / 2)
}
