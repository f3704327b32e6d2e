import { Embedder, Reranker } from 'qwen3-embed'
import { expect, it } from 'vitest'
import { fixture } from './fixtures/models.ts'

const queries = [
  'how do I get my money back',
  'which bird sleeps while it flies',
  'a harbour in winter',
  'who wrote the first letter',
]

it('computes the instruction of every query once, and gives the same bits', async () => {
  await using plain = await Embedder.load('mini', { prefixCache: 0 })
  await using embedder = await Embedder.load('mini')
  const own = await Promise.all(queries.map((query) => embedder.countTokens(query)))
  for (const [i, query] of queries.entries()) {
    const before = embedder.stats
    expect(await embedder.embedQuery(query)).toEqual(await plain.embedQuery(query))
    const { tokensRun, tokensKept, keptBytes } = embedder.stats
    // The first is new, and the second shows that its beginning comes again.
    if (i < 2) continue
    // The instruction's last token may be merged with what follows it.
    expect(tokensRun - before.tokensRun).toBeLessThanOrEqual(own[i]! + 2)
    expect(tokensKept - before.tokensKept).toBeGreaterThan(15)
    expect(keptBytes).toBeGreaterThan(0)
  }
  expect(plain.stats).toMatchObject({ tokensKept: 0, keptBytes: 0 })
})

it('keeps the query of a rerank job between its packs', async () => {
  const documents = Array.from({ length: 40 }, (_, i) => `document ${i} `.repeat(8))
  await using plain = await Reranker.load(fixture('rerank'), { prefixCache: 0, budget: 256 })
  await using reranker = await Reranker.load(fixture('rerank'), { budget: 256 })
  const ranked = await reranker.rank('a query', documents)
  expect(ranked).toEqual(await plain.rank('a query', documents))
  expect(reranker.stats.tokensKept).toBeGreaterThan(0)
  expect(reranker.stats.tokensRun).toBeLessThan(plain.stats.tokensRun)
})
