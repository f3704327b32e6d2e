import { execFileSync } from 'node:child_process'
import * as ai6 from 'ai'
import * as ai7 from 'ai-7'
import { Embedder, Reranker } from 'qwen3-embed'
import { createQwen3, qwen3 } from 'qwen3-embed/ai'
import { afterAll, describe, expect, it } from 'vitest'
import { fixture } from './fixtures/models.ts'

globalThis.AI_SDK_LOG_WARNINGS = false

const embedder = await Embedder.load('mini')
const reranker = await Reranker.load(fixture('rerank'))
afterAll(() => Promise.all([embedder.close(), reranker.close()]))

const values = [
  'Berlin is the capital of Germany.',
  'Bees carry pollen.',
  'Bread is made of flour.',
]
const v4 = createQwen3({ specificationVersion: 'v4' })

describe.each([
  ['ai 6 with v3', ai6 as unknown as typeof ai7, qwen3],
  ['ai 7 with v3', ai7, qwen3],
  ['ai 7 with v4', ai7, v4],
])('%s', (_, ai, provider) => {
  it('embeds documents as they are, and counts their tokens', async () => {
    const model = provider.embeddingModel(embedder)
    const { embeddings, usage, warnings, providerMetadata } = await ai.embedMany({ model, values })
    const expected = await embedder.embedDocuments(values)
    expect(embeddings).toEqual(expected.map((vector) => Array.from(vector)))
    const counts = await Promise.all(values.map((value) => embedder.countTokens(value)))
    expect(usage.tokens).toBe(counts.reduce((a, b) => a + b))
    expect(warnings).toEqual([])
    expect(providerMetadata).toEqual({ qwen3: { fingerprint: embedder.info.fingerprint } })
  })

  it('instructs queries', async () => {
    const value = 'German capital'
    const model = provider.embeddingModel(embedder)
    const query = { qwen3: { inputType: 'query' } }
    const { embedding } = await ai.embed({ model, value, providerOptions: query })
    expect(embedding).toEqual(Array.from(await embedder.embedQuery(value)))

    const options = { instruction: 'Find the country', dimensions: 32 }
    const own = await ai.embed({ model, value, providerOptions: { qwen3: options } })
    expect(own.embedding).toEqual(Array.from(await embedder.embedQuery(value, options)))

    const queries = provider.embeddingModel(embedder, { inputType: 'query' })
    expect((await ai.embed({ model: queries, value })).embedding).toEqual(embedding)
  })

  it('ranks texts and objects', async () => {
    const model = provider.rerankingModel(reranker)
    const { ranking } = await ai.rerank({ model, query: 'q', documents: values, topN: 2 })
    const expected = await reranker.rank('q', values, { topN: 2 })
    expect(ranking.map(({ originalIndex, score }) => ({ index: originalIndex, score }))).toEqual(
      expected,
    )

    const documents = values.map((text, id) => ({ id, text }))
    const objects = await ai.rerank({ model, query: 'q', documents })
    const texts = documents.map((one) => JSON.stringify(one))
    const [best] = await reranker.rank('q', texts)
    expect(objects.ranking[0]).toMatchObject({ originalIndex: best!.index, score: best!.score })
  })

  it('ends with its signal', async () => {
    const model = provider.embeddingModel(embedder)
    const abortSignal = AbortSignal.abort(new Error('enough'))
    await expect(ai.embed({ model, value: 'a', abortSignal })).rejects.toThrow('enough')
    const ranking = provider.rerankingModel(reranker)
    await expect(
      ai.rerank({ model: ranking, query: 'q', documents: values, abortSignal }),
    ).rejects.toThrow('enough')
  })
})

describe('the provider', () => {
  it('is found in a registry, which loads by name', async () => {
    const registry = ai6.createProviderRegistry({ qwen3 })
    const model = registry.embeddingModel('qwen3:mini')
    expect((await ai6.embed({ model, value: 'a' })).embedding).toHaveLength(256)
    expect(() => qwen3.languageModel('mini')).toThrow('No such languageModel: mini')
    try {
      qwen3.imageModel('mini')
    } catch (error) {
      expect(ai6.NoSuchModelError.isInstance(error)).toBe(true)
      expect(ai7.NoSuchModelError.isInstance(error)).toBe(true)
    }
    await qwen3.close()
  })

  it('has the members of the real interfaces', () => {
    qwen3.embeddingModel('mini') satisfies ai6.EmbeddingModel
    qwen3.rerankingModel('mini') satisfies ai6.RerankingModel
    v4.embeddingModel('mini') satisfies ai7.EmbeddingModel
    v4.rerankingModel('mini') satisfies ai7.RerankingModel
    const facts = qwen3.embeddingModel(embedder)
    expect(facts).toMatchObject({ provider: 'qwen3.embedding', modelId: 'mini-embed' })
  })

  it('tells what was cut, and says no to what it does not know', async () => {
    const small = await Embedder.load('mini', { maxTokens: 8 })
    const model = createQwen3().embeddingModel(small, { truncate: 'end' })
    const { warnings, usage } = await ai6.embedMany({ model, values: ['a', 'a b c d e f g h i j'] })
    expect(warnings).toEqual([
      { type: 'other', message: expect.stringMatching(/^value 1 lost its last \d+ tokens$/) },
    ])
    expect(usage.tokens).toBe(2 + 8)
    const strict = createQwen3().embeddingModel(small)
    await expect(strict.doEmbed({ values: ['a b c d e f g h i j'] })).rejects.toMatchObject({
      code: 'ERR_TEXT_TOO_LONG',
    })
    const providerOptions = { qwen3: { dimension: 32 } }
    await expect(strict.doEmbed({ values: ['a'], providerOptions })).rejects.toThrow(
      'Unknown option of providerOptions.qwen3 "dimension". Did you mean dimensions?',
    )
    await small.close()
  })

  it('takes the dimensions that ai 7 asks for', async () => {
    for (const model of [qwen3.embeddingModel(embedder), v4.embeddingModel(embedder)]) {
      const { embeddings } = await ai7.embedMany({ model, values, dimensions: 64 })
      expect(embeddings[0]).toHaveLength(64)
    }
  })
})

it('has an example that runs', () => {
  const args = ['examples/ai.js', fixture('rerank')]
  const lines = execFileSync(process.execPath, args, { encoding: 'utf8' }).split('\n')
  expect(lines[0]).toMatch(/^0\.4\d\d You can return/)
  expect(lines.filter((line) => line.startsWith('reranked'))).toHaveLength(2)
})
