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
// the engine: float32 sums, with quantised weights 8-bit activations, BF16 activations where a processor multiplies
// pairs of these, with F16 weights sums of two of them or 16-bit codes, with BF16 weights such codes. Each is at most ten times what was measured: 1 − cosine,
// packed and generic.
const tolerances = {
  embed: { packed: 1e-12, generic: 5e-13 },
  'embed-f16': { packed: 1e-12, generic: 1e-6 },
  'embed-bf16': { packed: 1e-12, generic: 1.4e-4 },
  'embed-q8_0': { packed: 1e-3, generic: 1e-3 },
  'embed-q4_0': { packed: 1e-3, generic: 1e-3 },
  'embed-q4_k_m': { packed: 1e-3, generic: 1e-3 },
} as const
const withBf16Rows = 1e-4 // measured: 1e-5
const withBf16Sums = 2.5e-10 // measured: 2.7e-11
const withCodes = 1.7e-7 // measured: 1.7e-8 (F16), 2.0e-8 (BF16)

/** What the rows of a file's products lose on a processor with these kernels, where it is more than floats do. */
function roundingOf(file: string, kernels: string): number {
  if (file === 'embed-bf16' && /amx|bf16/.test(kernels)) return withBf16Rows
  if (file === 'embed-f16' && /amx/.test(kernels)) return withBf16Sums
  return /-b?f16$/.test(file) && /avx/.test(kernels) ? withCodes : 0
}

const texts = [
  '',
  'a',
  'What is the capital of China?',
  'The capital of China is Beijing. '.repeat(6),
  'code: for (let i = 0; i < 10; i++) { total += i }',
]

describe.each(['packed', 'generic'] as const)('the %s engine against float64', (engine) => {
  it.each(Object.entries(tolerances))('%s', async (name, by) => {
    const path = fixture(name as keyof typeof tolerances)
    const reference = readReference(path)
    await using embedder = await Embedder.load(path, { engine })
    const { kernels } = embedder.info
    const rounded = roundingOf(name, kernels)
    const least = 1 - Math.max(rounded, by[engine])
    for (const instruction of ['', 'Given a question, find its answer']) {
      const vectors = await embedder.embed(texts, { instruction })
      const short = await embedder.embed(texts, { instruction, dimensions: 32 })
      for (const [i, text] of texts.entries()) {
        const ids = [...(await embedder.tokenize(text, { instruction }))]
        expect(cosine(vectors[i]!, referenceVector(reference, ids))).toBeGreaterThan(least)
        const cut = referenceVector(reference, ids, { dimensions: 32 })
        expect(cosine(short[i]!, cut)).toBeGreaterThan(least)
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
        1 - 1e-12,
      )
    }
  })

  // In F32 the logit difference was right to 2.8e-6.
  it.each(['rerank', 'rerank-tied', 'rerank-untied'] as const)(
    '%s: logits within 2.8e-5',
    async (name) => {
      const reference = readReference(fixture(name))
      await using reranker = await Reranker.load(fixture(name), { engine })
      const pairs = texts.map((text): [string, string] => ['a query', text])
      const logits = await reranker.score(pairs, { output: 'logit' })
      for (const [i, [query, document]] of pairs.entries()) {
        const ids = [...(await reranker.tokenize(query, document))]
        expect(Math.abs(logits[i]! - referenceLogitDifference(reference, ids))).toBeLessThan(2.8e-5)
      }
    },
  )
})
