// The clients that people have, unchanged, against a running server.
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { InferenceClient } from '@huggingface/inference'
import { CohereClient, CohereClientV2, CohereError } from 'cohere-ai'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultInstruction, quantize } from '../lib/index.ts'
import { startServer, type TestServer } from './fixtures/server.ts'

const texts = ['a cat on the sofa', 'ein Kätzchen 🐈', 'the price of oil']
const key = 'a key of some length'
let server: TestServer
let vectors: number[][]

beforeAll(async () => {
  server = await startServer({ keys: ['another key', key] })
  vectors = (await server.embedder.embedDocuments(texts)).map((vector) => [...vector])
})
afterAll(() => server[Symbol.asyncDispose]())

const tokensOf = async (list: string[]) => {
  const counts = await Promise.all(list.map((text) => server.embedder.countTokens(text)))
  return counts.reduce((sum, count) => sum + count, 0)
}

describe('openai', () => {
  let openai: OpenAI
  beforeAll(() => {
    openai = new OpenAI({ apiKey: key, baseURL: `${server.url}/v1`, maxRetries: 0 })
  })

  // Without a format it asks for base64 and decodes it itself.
  it.each([undefined, 'float', 'base64'] as const)('gets vectors as %s', async (format) => {
    const { data, usage, model, object } = await openai.embeddings.create({
      model: 'mini',
      input: texts,
      ...(format ? { encoding_format: format } : {}),
    })
    const decoded = data.map(({ embedding }) =>
      typeof embedding === 'string'
        ? [...new Float32Array(Uint8Array.from(Buffer.from(embedding, 'base64')).buffer)]
        : embedding,
    )
    expect(decoded.map((vector) => vector.map(Math.fround))).toEqual(vectors)
    expect(data.map(({ index }) => index)).toEqual([0, 1, 2])
    const tokens = await tokensOf(texts)
    expect(usage).toEqual({ prompt_tokens: tokens, total_tokens: tokens })
    expect({ model, object }).toEqual({ model: 'mini', object: 'list' })
  })

  it('gets one text, and fewer dimensions', async () => {
    const { data } = await openai.embeddings.create({
      model: 'mini',
      input: texts[0]!,
      dimensions: 64,
    })
    const [cut] = await server.embedder.embed([texts[0]!], { dimensions: 64 })
    expect(data[0]!.embedding.map(Math.fround)).toEqual([...cut!])
  })

  it('gives token ids, one list or many', async () => {
    const ids = await Promise.all(
      texts.map(async (text) => [...(await server.embedder.tokenize(text))]),
    )
    const refused = openai.embeddings.create({ model: 'mini', input: ids })
    await expect(refused).rejects.toThrow(/holds token ids.*--allow-token-ids/)
    await using open = await startServer({ tokenIds: true })
    const trusting = new OpenAI({ apiKey: 'none', baseURL: `${open.url}/v1`, maxRetries: 0 })
    const many = await trusting.embeddings.create({ model: 'mini', input: ids })
    expect(many.data.map(({ embedding }) => embedding.map(Math.fround))).toEqual(vectors)
    const one = await trusting.embeddings.create({ model: 'mini', input: ids[1]! })
    expect(one.data[0]!.embedding.map(Math.fround)).toEqual(vectors[1])
  })

  it('reaches the instruction', async () => {
    const [query] = await server.embedder.embedQueries([texts[0]!])
    for (const extra of [{ input_type: 'query' }, { instruction: defaultInstruction }]) {
      const body = { model: 'mini', input: texts[0]!, ...extra }
      const { data } = await openai.embeddings.create(body)
      expect(data[0]!.embedding.map(Math.fround)).toEqual([...query!])
    }
  })

  it('lists models', async () => {
    const models = []
    for await (const model of openai.models.list()) models.push(model.id)
    expect(models).toEqual(['mini', 'ranker'])
    expect(await openai.models.retrieve('mini')).toMatchObject({ id: 'mini', object: 'model' })
  })

  it('gets its own errors', async () => {
    const create = (body: object, client = openai) =>
      client.embeddings.create({ model: 'mini', input: 'x', ...body })
    const failure = (body: object) => create(body).catch((error: unknown) => error)

    expect(await failure({ dimensions: 7 })).toBeInstanceOf(OpenAI.BadRequestError)
    expect(await failure({ dimensions: 7 })).toMatchObject({
      status: 400,
      param: 'dimensions',
      code: 'invalid',
      type: 'invalid_request_error',
      requestID: expect.stringMatching(/^[\w-]{36}$/),
    })
    expect(await failure({ input: [] })).toBeInstanceOf(OpenAI.BadRequestError)
    expect(await failure({ input: [1, 2, 999_999] })).toMatchObject({ param: 'input' })
    expect(await failure({ input: 'word '.repeat(1500) })).toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
      message: expect.stringMatching(/at most 1024 tokens. Given: 150\d/),
    })
    expect(await failure({ model: 'gpt' })).toBeInstanceOf(OpenAI.NotFoundError)
    expect(await failure({ model: 'gpt' })).toMatchObject({ code: 'model_not_found' })
    expect(await failure({ model: 'ranker' })).toBeInstanceOf(OpenAI.BadRequestError)
    const stranger = openai.withOptions({ apiKey: 'not the key' })
    await expect(create({}, stranger)).rejects.toBeInstanceOf(OpenAI.AuthenticationError)
  })
})

describe('@ai-sdk/openai-compatible', () => {
  const provider = () =>
    createOpenAICompatible({ name: 'here', apiKey: key, baseURL: `${server.url}/v1` })

  it('gets vectors', async () => {
    const { embeddings, usage } = await provider()
      .embeddingModel('mini')
      .doEmbed({ values: texts, providerOptions: { openaiCompatible: { dimensions: 256 } } })
    expect(embeddings.map((vector) => vector.map(Math.fround))).toEqual(vectors)
    expect(usage).toEqual({ tokens: await tokensOf(texts) })
  })

  it('gets its own errors', async () => {
    const asking = provider()
      .embeddingModel('gpt')
      .doEmbed({ values: ['x'] })
    await expect(asking).rejects.toMatchObject({
      name: 'AI_APICallError',
      statusCode: 404,
      message: expect.stringContaining('does not exist here'),
    })
  })
})

describe('cohere-ai', () => {
  const query = 'which animal sleeps?'
  let ranked: { index: number; relevanceScore: number }[]
  beforeAll(async () => {
    const direct = await server.reranker.rank(query, texts)
    ranked = direct.map(({ index, score }) => ({ index, relevanceScore: score }))
  })
  const options = () => ({ token: key, environment: server.url })
  const v2 = () => new CohereClientV2(options())
  const v1 = () => new CohereClient(options())

  it('reranks by its second version', async () => {
    const all = await v2().rerank({ model: 'ranker', query, documents: texts })
    expect(all.results).toEqual(ranked)
    expect(all.meta).toMatchObject({
      apiVersion: { version: '2' },
      billedUnits: { searchUnits: 1 },
    })
    const best = await v2().rerank({ model: 'ranker', query, documents: texts, topN: 2 })
    expect(best.results).toEqual(ranked.slice(0, 2))
  })

  it('reranks by its first version, with documents', async () => {
    const documents = [texts[0]!, { text: texts[1]! }, { text: texts[2]! }]
    const answer = await v1().rerank({ model: 'ranker', query, documents, returnDocuments: true })
    expect(answer.results).toEqual(
      ranked.map((one) => ({ ...one, document: { text: texts[one.index] } })),
    )
  })

  it('cuts documents to maxTokensPerDoc', async () => {
    const long = 'a word after a word '.repeat(50)
    const cut = await v2().rerank({
      model: 'ranker',
      query,
      documents: [long],
      maxTokensPerDoc: 4,
    })
    const fitting = []
    for (let end = 0; end < 60; end++) {
      const empty = (await server.reranker.tokenize(query, '')).length
      const tokens = (await server.reranker.tokenize(query, long.slice(0, end))).length
      if (tokens - empty <= 4) fitting.push(long.slice(0, end))
    }
    const [score] = await server.reranker.score([[query, fitting.at(-1)!]])
    expect(cut.results[0]!.relevanceScore).toBe(score)
  })

  it('embeds in several encodings', async () => {
    const { embeddings } = await v2().embed({
      model: 'mini',
      texts,
      inputType: 'search_document',
      embeddingTypes: ['float', 'int8', 'ubinary'],
    })
    const floats = vectors.map((vector) => Float32Array.from(vector))
    expect(embeddings.float!.map((vector) => vector.map(Math.fround))).toEqual(vectors)
    expect(embeddings.int8).toEqual(quantize(floats, 'int8').map((one) => [...one]))
    expect(embeddings.ubinary).toEqual(quantize(floats, 'ubinary').map((one) => [...one]))
  })

  it('gets its own errors', async () => {
    const ask = (body: object, client: CohereClientV2 | CohereClient = v2()) =>
      client
        .rerank({ model: 'ranker', query, documents: texts, ...body }, { maxRetries: 0 })
        .catch((error: unknown) => error)
    expect(await ask({ documents: [] })).toMatchObject({ name: 'BadRequestError', statusCode: 400 })
    expect(await ask({ model: 'gpt' })).toMatchObject({ name: 'NotFoundError', statusCode: 404 })
    expect(await ask({ model: 'gpt' }, v1())).toMatchObject({ name: 'NotFoundError' })
    const stranger = new CohereClientV2({ token: 'not the key', environment: server.url })
    const refused = await ask({}, stranger)
    expect(refused).toBeInstanceOf(CohereError)
    expect(refused).toMatchObject({
      name: 'UnauthorizedError',
      body: { message: expect.stringContaining('API key') },
    })
  })
})

describe('@huggingface/inference', () => {
  const at = (path: string) => new InferenceClient(key, { endpointUrl: server.url + path })

  it.each(['/embed', '/'])('extracts features at %s', async (path) => {
    const got = (await at(path).featureExtraction({ inputs: texts })) as number[][]
    expect(got.map((vector) => vector.map(Math.fround))).toEqual(vectors)
  })

  it.each(['/similarity', '/'])('compares sentences at %s', async (path) => {
    const inputs = { source_sentence: texts[0]!, sentences: texts.slice(1) }
    const got = await at(path).sentenceSimilarity({ inputs })
    const dot = (i: number) => vectors[0]!.reduce((sum, x, k) => sum + x * vectors[i]![k]!, 0)
    expect(got).toEqual([dot(1), dot(2)])
  })

  it('gets its own errors', async () => {
    const asking = at('/embed').featureExtraction({ inputs: [] as never })
    await expect(asking).rejects.toMatchObject({
      name: 'ProviderApiError',
      httpResponse: { status: 400, body: { error_type: 'Empty' } },
    })
  })
})
