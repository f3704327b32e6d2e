import { execFileSync } from 'node:child_process'
import { Document } from '@langchain/core/documents'
import type { EmbeddingsInterface } from '@langchain/core/embeddings'
import { BaseDocumentCompressor } from '@langchain/core/retrievers/document_compressors'
import { FakeVectorStore } from '@langchain/core/utils/testing'
import { Embedder, Reranker } from 'qwen3-embed'
import { Qwen3Embeddings, Qwen3Rerank } from 'qwen3-embed/langchain'
import { afterAll, describe, expect, it } from 'vitest'
import { fixture } from './fixtures/models.ts'
import { documents } from './fixtures/sentences.ts'

const embedder = await Embedder.load('mini')
const reranker = await Reranker.load(fixture('rerank'))
afterAll(() => Promise.all([embedder.close(), reranker.close()]))

describe('Qwen3Embeddings', () => {
  it('serves a vector store', async () => {
    const embeddings: EmbeddingsInterface = new Qwen3Embeddings({ model: embedder })
    const found = (index: number) => ({ index })
    const store = await FakeVectorStore.fromTexts(
      documents,
      documents.map((_, i) => found(i)),
      embeddings,
    )
    const [best] = await store.similaritySearch('German capital', 1)
    expect(best!.pageContent).toBe('Berlin is the capital of Germany.')
    const [same] = await store.asRetriever(1).invoke('German capital')
    expect(same).toEqual(best)
  })

  it('instructs queries only, and gives plain arrays', async () => {
    const options = { instruction: 'Find the capital', dimensions: 64 }
    const embeddings = new Qwen3Embeddings({ model: embedder, ...options })
    const query = await embeddings.embedQuery('Germany')
    expect(query).toEqual(Array.from(await embedder.embedQuery('Germany', options)))
    const [document] = await embeddings.embedDocuments(['Germany'])
    const [plain] = await embedder.embedDocuments(['Germany'], { dimensions: 64 })
    expect(document).toEqual(Array.from(plain!))
    expect(Array.isArray(document)).toBe(true)
  })

  it('embeds documents in one batch', async () => {
    const before = embedder.stats.packs
    await new Qwen3Embeddings({ model: embedder }).embedDocuments(Array(20).fill('a text'))
    expect(embedder.stats.packs).toBe(before + 1)
  })

  it('loads a model by name, tries again after a failure, and frees it', async () => {
    const missing = new Qwen3Embeddings({ model: './no-such-file.gguf' })
    await expect(missing.embedQuery('a')).rejects.toMatchObject({ code: 'ERR_MODEL_NOT_FOUND' })
    await expect(missing.embedQuery('a')).rejects.toMatchObject({ code: 'ERR_MODEL_NOT_FOUND' })
    const embeddings = new Qwen3Embeddings({ model: 'mini' })
    expect(await embeddings.embedQuery('a')).toHaveLength(256)
    await embeddings.close()
    expect(await embeddings.embedQuery('a')).toHaveLength(256)
    await embeddings.close()
    await missing.close()
  })
})

describe('Qwen3Rerank', () => {
  const texts = documents.slice(0, 6)
  const given = texts.map((pageContent, i) => new Document({ pageContent, metadata: { i } }))

  it('keeps the best documents with their scores', async () => {
    const compressor = new Qwen3Rerank({ model: reranker })
    expect(BaseDocumentCompressor.isBaseDocumentCompressor(compressor)).toBe(true)
    const kept = await compressor.compressDocuments(given, 'a query')
    const ranked = await reranker.rank('a query', texts, { topN: 3 })
    expect(kept.map(({ metadata }) => metadata)).toEqual(
      ranked.map(({ index, score }) => ({ i: index, relevanceScore: score })),
    )
    expect(kept[0]).toBeInstanceOf(Document)
    expect(given[0]!.metadata).toEqual({ i: 0 })
  })

  it('gives the order alone', async () => {
    const compressor = new Qwen3Rerank({
      model: reranker,
      instruction: 'Is it about food?',
      topN: 2,
    })
    const expected = await reranker.rank('q', texts, { instruction: 'Is it about food?', topN: 4 })
    expect(await compressor.rerank(texts, 'q', { topN: 4 })).toEqual(
      expected.map(({ index, score }) => ({ index, relevanceScore: score })),
    )
    expect(await compressor.rerank(given, 'q')).toHaveLength(2)
    const call = compressor.rerank(texts, 'q', { signal: AbortSignal.abort(new Error('enough')) })
    await expect(call).rejects.toThrow('enough')
  })
})

it('has an example that runs', () => {
  const args = ['examples/langchain.js', fixture('rerank')]
  const lines = execFileSync(process.execPath, args, { encoding: 'utf8' }).split('\n')
  expect(lines[0]).toMatch(/^0\.4\d\d You can return/)
  expect(lines.filter((line) => line.startsWith('reranked'))).toHaveLength(2)
})
