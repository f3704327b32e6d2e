import { execFileSync } from 'node:child_process'
import type { RelevanceScoreProvider } from '@mastra/core/relevance'
import { embedV3, isSupportedEmbeddingModel } from '@mastra/core/vector'
import { rerankWithScorer } from '@mastra/rag'
import { Embedder, Reranker } from 'qwen3-embed'
import { Qwen3RelevanceScorer, qwen3 } from 'qwen3-embed/mastra'
import { afterAll, expect, it } from 'vitest'
import { fixture } from './fixtures/models.ts'
import { documents } from './fixtures/sentences.ts'

const embedder = await Embedder.load('mini')
const reranker = await Reranker.load(fixture('rerank'))
afterAll(() => Promise.all([embedder.close(), reranker.close()]))

it("is an embedding model of Mastra's", async () => {
  const model = qwen3.embeddingModel(embedder, { inputType: 'query' })
  expect(isSupportedEmbeddingModel(model)).toBe(true)
  const { embedding } = await embedV3({ model, value: 'German capital' })
  expect(embedding).toEqual([...(await embedder.embedQuery('German capital'))])
})

it('scores for rerankWithScorer, in shared passes', async () => {
  const scorer: RelevanceScoreProvider = new Qwen3RelevanceScorer(reranker)
  const results = documents.map((text, i) => ({ id: `${i}`, score: 0, metadata: { text } }))
  const weights = { semantic: 1, vector: 0, position: 0 }
  const before = reranker.stats.packs
  const ranked = await rerankWithScorer({
    results,
    query: 'a query',
    scorer,
    options: { weights, topK: 3 },
  })
  // The first may have begun before the others came.
  expect(reranker.stats.packs - before).toBeLessThan(documents.length / 2)
  const expected = await reranker.rank('a query', documents, { topN: 3 })
  expect(ranked.map(({ result, score }) => ({ index: Number(result.id), score }))).toEqual(expected)
})

it('has an example that runs', () => {
  const args = ['examples/mastra.js', fixture('rerank')]
  const lines = execFileSync(process.execPath, args, { encoding: 'utf8' }).split('\n')
  expect(lines[0]).toMatch(/^0\.4\d\d You can return/)
  expect(lines.filter((line) => line.startsWith('reranked'))).toHaveLength(2)
})
