import { Embedder, Reranker } from 'qwen3-embed'
import { describe, expect, it } from 'vitest'
import { fixture } from './fixtures/models.ts'
import {
  cosine,
  readReference,
  referenceLogitDifference,
  referenceVector,
} from './fixtures/reference.ts'

// The reference is a float64 pass in plain TypeScript over the weights as stored. What is left is the rounding of
// the engine: float32 sums, and with quantised weights 8-bit activations.
const tolerances = {
  embed: 0.99999,
  'embed-f16': 0.9999,
  'embed-bf16': 0.9999,
  'embed-q8_0': 0.999,
  'embed-q4_0': 0.999,
  'embed-q4_k_m': 0.999,
} as const

const texts = [
  '',
  'a',
  'What is the capital of China?',
  'The capital of China is Beijing. '.repeat(6),
  'code: for (let i = 0; i < 10; i++) { total += i }',
]

describe.each(['packed', 'generic'] as const)('the %s engine against float64', (engine) => {
  it.each(Object.entries(tolerances))('%s: cosine at least %d', async (name, tolerance) => {
    const path = fixture(name as keyof typeof tolerances)
    const reference = readReference(path)
    await using embedder = await Embedder.load(path, { engine })
    for (const instruction of ['', 'Given a question, find its answer']) {
      const vectors = await embedder.embed(texts, { instruction })
      const short = await embedder.embed(texts, { instruction, dimensions: 32 })
      for (const [i, text] of texts.entries()) {
        const ids = [...(await embedder.tokenize(text, { instruction }))]
        expect(cosine(vectors[i]!, referenceVector(reference, ids))).toBeGreaterThan(tolerance)
        const cut = referenceVector(reference, ids, { dimensions: 32 })
        expect(cosine(short[i]!, cut)).toBeGreaterThan(tolerance)
      }
    }
  })

  it.each(['mean', 'cls'] as const)('%s pooling', async (pooling) => {
    const reference = readReference(fixture('embed'))
    await using embedder = await Embedder.load(fixture('embed'), { engine })
    const vectors = await embedder.embed(texts, { pooling })
    for (const [i, text] of texts.entries()) {
      const ids = [...(await embedder.tokenize(text))]
      expect(cosine(vectors[i]!, referenceVector(reference, ids, { pooling }))).toBeGreaterThan(
        0.99999,
      )
    }
  })

  // In F32 the logit difference is right to 1e-3.
  it.each(['rerank', 'rerank-tied', 'rerank-untied'] as const)(
    '%s: logits within 1e-3',
    async (name) => {
      const reference = readReference(fixture(name))
      await using reranker = await Reranker.load(fixture(name), { engine })
      const pairs = texts.map((text): [string, string] => ['a query', text])
      const logits = await reranker.score(pairs, { output: 'logit' })
      for (const [i, [query, document]] of pairs.entries()) {
        const ids = [...(await reranker.tokenize(query, document))]
        expect(Math.abs(logits[i]! - referenceLogitDifference(reference, ids))).toBeLessThan(1e-3)
      }
    },
  )
})
