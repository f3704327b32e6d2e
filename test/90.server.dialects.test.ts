// What other servers' clients send: the real clients where npm has one, the documented bodies elsewhere.
import { gunzipSync, gzipSync } from 'node:zlib'
import { OllamaEmbeddings } from '@langchain/ollama'
import { CohereClient } from 'cohere-ai'
import { Ollama } from 'ollama'
import OpenAI, { AzureOpenAI } from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Embedder, inspect, Reranker } from '../lib/index.ts'
import { createHandler, type ModelSource } from '../lib/server/index.ts'
import { fixture } from './fixtures/models.ts'
import { startServer, type TestServer } from './fixtures/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const texts = ['a cat on the sofa', 'the price of oil']
const rounded = (vector: readonly number[]) => vector.map(Math.fround)

describe('Ollama', () => {
  let ollama: Ollama
  beforeAll(() => {
    ollama = new Ollama({ host: server.url })
  })

  it('embeds texts as they are, one or many', async () => {
    const direct = await server.embedder.embed(texts)
    const many = await ollama.embed({ model: 'mini:latest', input: texts })
    expect(many.embeddings.map(rounded)).toEqual(direct.map((one) => [...one]))
    expect(many).toMatchObject({ model: 'mini:latest', prompt_eval_count: expect.any(Number) })
    expect(many.total_duration).toBeGreaterThan(0)
    const one = await ollama.embed({ model: 'mini', input: texts[0]!, dimensions: 64 } as never)
    expect(one.embeddings[0]).toHaveLength(64)
    const old = await ollama.embeddings({ model: 'mini', prompt: texts[0]! })
    expect(rounded(old.embedding)).toEqual([...direct[0]!])
    const options = { num_ctx: 100_000, temperature: 0 }
    expect((await ollama.embed({ model: 'mini', input: 'a', options })).embeddings).toHaveLength(1)
  })

  it('cuts what is too long, unless it is told not to', async () => {
    const long = 'word '.repeat(3000)
    expect((await ollama.embed({ model: 'mini', input: long })).embeddings).toHaveLength(1)
    const refused = ollama.embed({ model: 'mini', input: long, truncate: false })
    await expect(refused).rejects.toThrow(/at most|must have/)
  })

  it('tells what there is', async () => {
    const { models } = await ollama.list()
    expect(models.map(({ name }) => name)).toEqual(['mini', 'ranker'])
    expect(models[0]).toMatchObject({ details: { family: 'qwen3', quantization_level: 'Q8_0' } })
    const shown = await ollama.show({ model: 'mini' })
    expect(shown.capabilities).toEqual(['embedding'])
    expect(shown.model_info).toMatchObject({ 'qwen3.embedding_length': 256 })
    expect((await ollama.ps()).models).toHaveLength(2)
    expect((await ollama.version()).version).toMatch(/^\d/)
    expect(await ollama.pull({ model: 'mini', stream: false })).toEqual({ status: 'success' })
    const events = []
    for await (const event of await ollama.pull({ model: 'mini', stream: true })) events.push(event)
    expect(events).toEqual([{ status: 'success' }])
  })

  it('says no in its own form', async () => {
    await expect(ollama.embed({ model: 'nomic', input: 'x' })).rejects.toMatchObject({
      status_code: 404,
      message: expect.stringContaining('There is: mini, ranker'),
    })
    const small = ollama.embed({ model: 'mini', input: 'x', options: { num_ctx: 16 } })
    await expect(small).rejects.toThrow(/num_ctx/)
    await expect(ollama.embed({ model: 'ranker', input: 'x' })).rejects.toThrow(/for reranking/)
    expect((await server.post('/api/embed', { input: 'x', format: 'json' })).body).toEqual({
      error: expect.stringContaining('Unknown field "format"'),
    })
  })

  it('serves LangChain', async () => {
    const embeddings = new OllamaEmbeddings({ baseUrl: server.url, model: 'mini', truncate: true })
    const [direct] = await server.embedder.embed([texts[0]!])
    expect(rounded(await embeddings.embedQuery(texts[0]!))).toEqual([...direct!])
    expect(await embeddings.embedDocuments(texts)).toHaveLength(2)
  })
})

describe('NVIDIA NIM', () => {
  it('tells passages from queries, and cuts by words', async () => {
    const openai = new OpenAI({ apiKey: 'none', baseURL: `${server.url}/v1`, maxRetries: 0 })
    const ask = (extra: object) =>
      openai.embeddings.create({ model: 'mini', input: [texts[0]!], ...extra } as never)
    const [query] = await server.embedder.embedQueries([texts[0]!])
    const [passage] = await server.embedder.embedDocuments([texts[0]!])
    const asked = await ask({ input_type: 'query', truncate: 'END' })
    expect(rounded(asked.data[0]!.embedding)).toEqual([...query!])
    const given = await ask({ input_type: 'passage', truncate: 'NONE' })
    expect(rounded(given.data[0]!.embedding)).toEqual([...passage!])
    await expect(ask({ truncate: 'START' })).rejects.toThrow(/Use END or NONE/)
    await expect(ask({ truncate: 'NONE', input: 'word '.repeat(3000) })).rejects.toThrow(/tokens/)
  })

  it('ranks passages', async () => {
    const passages = texts.map((text) => ({ text }))
    const body = { model: 'ranker', query: { text: 'oil' }, passages, truncate: 'END' }
    const { rankings } = (await server.post('/v1/ranking', body)).body
    const ranked = await server.reranker.rank('oil', texts, { output: 'logit' })
    expect(rankings).toEqual(ranked.map(({ index, score }) => ({ index, logit: score })))
  })
})

describe('Voyage', () => {
  it('reranks by top_k into data', async () => {
    const body = {
      query: 'oil',
      documents: texts,
      top_k: 1,
      return_documents: true,
      truncation: true,
    }
    const { data } = (await server.post('/v1/rerank', body)).body
    const [best] = await server.reranker.rank('oil', texts, { topN: 1 })
    expect(data).toEqual([
      { index: best!.index, relevance_score: best!.score, document: texts[best!.index] },
    ])
  })
})

describe('Jina', () => {
  it('embeds objects with a text', async () => {
    const body = {
      input: [{ text: texts[0]! }, texts[1]!],
      task: 'retrieval.passage',
      normalized: true,
    }
    const { data } = (await server.post('/v1/embeddings', body)).body
    const direct = await server.embedder.embedDocuments(texts)
    expect(data.map((one: { embedding: number[] }) => rounded(one.embedding))).toEqual(
      direct.map((one) => [...one]),
    )
    const picture = await server.post('/v1/embeddings', { input: [{ image: 'https://x' }] })
    expect(picture.body.error.message).toMatch(/image is not supported/)
  })

  it('reranks a query that is an object', async () => {
    const { status } = await server.post('/rerank', { query: { text: 'oil' }, documents: texts })
    expect(status).toBe(200)
  })
})

describe('Azure', () => {
  it('names the model in the path, and sends api-key', async () => {
    await using locked = await startServer({ keys: ['a right key'] })
    const azure = new AzureOpenAI({
      endpoint: locked.url,
      apiKey: 'a right key',
      deployment: 'mini',
      apiVersion: '2024-10-21',
      maxRetries: 0,
    })
    const { data } = await azure.embeddings.create({ model: 'mini', input: texts })
    expect(data).toHaveLength(2)
    const wrong = new AzureOpenAI({
      endpoint: locked.url,
      apiKey: 'another key',
      deployment: 'mini',
      apiVersion: '2024-10-21',
      maxRetries: 0,
    })
    await expect(wrong.embeddings.create({ model: 'mini', input: 'x' })).rejects.toThrow('401')
  })
})

describe('Cohere v1', () => {
  it('embeds, tokenizes and checks its key', async () => {
    const cohere = new CohereClient({ token: 'none', environment: server.url })
    const direct = await server.embedder.embedDocuments(texts)
    const floats = await cohere.embed({ model: 'mini', texts, inputType: 'search_document' })
    expect((floats.embeddings as number[][]).map(rounded)).toEqual(direct.map((one) => [...one]))
    const typed = await cohere.embed({ model: 'mini', texts, embeddingTypes: ['int8'] })
    expect(typed.responseType).toBe('embeddings_by_type')
    const { tokens } = await cohere.tokenize({ model: 'mini', text: texts[0]! })
    const ids = await server.embedder.tokenize(texts[0]!)
    expect(tokens).toEqual([...ids.slice(0, -1)])
    expect((await cohere.detokenize({ model: 'mini', tokens })).text).toBe(texts[0])
    expect((await cohere.checkApiKey()).valid).toBe(true)
    const { models } = await cohere.models.list()
    expect(models!.map(({ name }) => name)).toEqual(['mini', 'ranker'])
  })

  it('takes inputs of version 2, text only', async () => {
    const inputs = [
      {
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
      },
    ]
    const { body } = await server.post('/v2/embed', { inputs, input_type: 'search_document' })
    const [direct] = await server.embedder.embedDocuments(['a b'])
    expect(rounded(body.embeddings.float[0])).toEqual([...direct!])
    expect((await server.post('/v2/embed', { texts, inputs })).status).toBe(400)
  })
})

describe('vLLM', () => {
  it('scores pairs in their order', async () => {
    const { body } = await server.post('/score', { model: 'ranker', text_1: 'oil', text_2: texts })
    const scores = await server.reranker.score(texts.map((text) => ['oil', text] as const))
    expect(body.data.map((one: { score: number }) => one.score)).toEqual(scores)
    const pairs = { text_1: ['oil', 'cat'], text_2: texts, truncate_prompt_tokens: -1 }
    expect((await server.post('/v1/score', pairs)).body.data).toHaveLength(2)
    expect((await server.post('/v1/score', { ...pairs, text_1: ['a', 'b', 'c'] })).status).toBe(400)
    expect((await server.post('/v1/score', { ...pairs, truncate_prompt_tokens: 9 })).status).toBe(
      400,
    )
  })
})

describe('strings for booleans', () => {
  it('count as what they say', async () => {
    const long = 'word '.repeat(3000)
    expect((await server.post('/embed', { inputs: long, truncate: 'true' })).status).toBe(200)
    expect((await server.post('/embed', { inputs: long, truncate: 'false' })).status).toBe(422)
    expect((await server.post('/embed', { inputs: 'a', normalize: 'yes' })).status).toBe(422)
  })
})

describe('a base URL as people type it', () => {
  it.each([
    '/v1/v1/embeddings',
    '//v1/embeddings',
    '/v1//embeddings',
    '/v1/embeddings/',
    '/api/v1/embeddings',
    '/openai/v1/embeddings',
  ])('%s is answered', async (path) => {
    expect((await server.post(path, { input: 'a' })).status).toBe(200)
  })

  it.each([
    ['/v1/rerank/', { query: 'a', documents: ['b'] }],
    ['/v1/api/embed', { input: 'a' }],
    ['/v1/v2/embed', { texts: ['a'] }],
  ])('%s is answered', async (path, body) => {
    expect((await server.post(path, body)).status).toBe(200)
  })

  it('says which path was meant', async () => {
    const { status, body } = await server.post('/v1/embeding', {})
    expect([status, body.error.message]).toEqual([
      404,
      expect.stringContaining('Did you mean /v1/embed'),
    ])
    expect((await server.get('/models')).status).toBe(200)
  })
})

describe('who is let in', () => {
  it('by any one right credential', async () => {
    await using locked = await startServer({ keys: ['a right key'] })
    const ask = async (headers: Record<string, string>) =>
      (await locked.post('/v1/embeddings', { input: 'a' }, headers)).status
    expect(await ask({ authorization: 'Bearer wrong', 'x-api-key': 'a right key' })).toBe(200)
    expect(await ask({ authorization: 'Bearer wrong', 'api-key': 'a right key' })).toBe(200)
    expect(await ask({ authorization: 'Bearer wrong', 'x-api-key': 'wrong too' })).toBe(401)
  })

  it('under names that were allowed, or under every name without a key', async () => {
    const ask = (handler: ReturnType<typeof createHandler>, host: string) =>
      handler.fetch(new Request('http://x/health', { headers: { host } }))
    const models = { mini: server.embedder }
    const named = createHandler({ models, hosts: ['Embed.local'] })
    expect((await ask(named, 'embed.LOCAL:8080')).status).toBe(200)
    const refused = await ask(named, 'other.local')
    expect(await refused.json()).toMatchObject({
      error: expect.stringContaining('--allowed-hosts'),
    })
    await using open = await startServer({ withoutKey: true })
    expect((await fetch(`${open.url}/health`, { headers: { host: 'any.example' } })).status).toBe(
      200,
    )
  })

  it('from origins as browsers write them', () => {
    const models = { mini: server.embedder }
    for (const origin of ['https://app.example/', 'app.example', 'ftp://x']) {
      expect(() => createHandler({ models, corsOrigins: [origin] })).toThrow(/corsOrigins/)
    }
    expect(() => createHandler({ models, corsOrigins: ['https://a.example:8443'] })).not.toThrow()
  })
})

describe('fewer bytes', () => {
  it('come in as gzip', async () => {
    const body = gzipSync(JSON.stringify({ inputs: texts }))
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' }
    const response = await fetch(`${server.url}/embed`, { method: 'POST', headers, body })
    expect(await response.json()).toHaveLength(2)
    await using small = await startServer({ limits: { bodyBytes: 100_000 } })
    const bomb = gzipSync(JSON.stringify({ inputs: 'x'.repeat(5_000_000) }))
    const refused = await fetch(`${small.url}/embed`, { method: 'POST', headers, body: bomb })
    expect(refused.status).toBe(413)
  })

  it('go out as the client takes them', async () => {
    const handler = createHandler({ models: { mini: server.embedder }, compress: true })
    const ask = (coding: string) =>
      handler.fetch(
        new Request('http://x/embed', {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'accept-encoding': coding },
          body: JSON.stringify({ inputs: Array(40).fill(texts[0]) }),
        }),
      )
    const plain = await (await ask('identity')).text()
    const zipped = await ask('gzip;q=0.9, br;q=0')
    expect(zipped.headers.get('content-encoding')).toBe('gzip')
    expect(zipped.headers.get('vary')).toContain('accept-encoding')
    const bytes = Buffer.from(await zipped.arrayBuffer())
    expect(bytes.length).toBeLessThan(plain.length / 2)
    expect(gunzipSync(bytes).toString()).toBe(plain)
    // Node's fetch takes it apart by itself.
    expect((await server.post('/embed', { inputs: Array(40).fill('a') })).body).toHaveLength(40)
  })
})

describe('models that are loaded when they are asked for', () => {
  const source = async (
    kind: 'embedding' | 'reranking',
    path: string,
    log: string[],
    name: string,
  ): Promise<ModelSource> => ({
    kind,
    info: await inspect(path),
    async load() {
      log.push(name)
      return kind === 'embedding' ? Embedder.load(path) : Reranker.load(path)
    },
  })

  it('share a memory budget, and the one used longest ago goes', async () => {
    const log: string[] = []
    const models = {
      a: await source('embedding', fixture('embed'), log, 'a'),
      b: await source('embedding', fixture('embed-other'), log, 'b'),
      c: await source('reranking', fixture('rerank'), log, 'c'),
    }
    const memory = models.a.info.bytes * 2.5
    const handler = createHandler({ models, memory })
    const post = async (path: string, body: object) => {
      const response = await handler.fetch(
        new Request(`http://x${path}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }),
      )
      return response.status
    }
    const running = async () => {
      const response = await handler.fetch(new Request('http://x/api/ps'))
      const { models } = (await response.json()) as { models: { name: string }[] }
      return models.map(({ name }) => name)
    }
    expect(await running()).toEqual([])
    expect(await post('/v1/embeddings', { model: 'a', input: 'x' })).toBe(200)
    expect(await post('/v1/embeddings', { model: 'b', input: 'x' })).toBe(200)
    expect(await post('/v1/embeddings', { model: 'a', input: 'x' })).toBe(200)
    expect(await running()).toEqual(['a', 'b'])
    expect(await post('/rerank', { model: 'c', query: 'q', documents: ['d'] })).toBe(200)
    expect(await running()).toEqual(['a', 'c'])
    // All at once: each waits for room, none is refused.
    const names = ['a', 'b', 'b', 'a', 'b']
    const statuses = await Promise.all(
      names.map((model) => post('/v1/embeddings', { model, input: 'x' })),
    )
    expect(statuses).toEqual([200, 200, 200, 200, 200])
    expect(log.slice(0, 3)).toEqual(['a', 'b', 'c'])
    expect((await running()).length).toBeLessThanOrEqual(2)
    await handler.close()
    expect(await running()).toEqual([])
  })

  it('are unloaded when nobody asked for so long', async () => {
    const log: string[] = []
    const models = { a: await source('embedding', fixture('embed'), log, 'a') }
    await using lazy = await startServer({ models, keepAlive: 50 })
    expect((await lazy.get('/v1/models')).body.data[0]).toMatchObject({ loaded: false })
    const loaded = async () => (await lazy.get('/v1/models')).body.data[0].loaded
    expect((await lazy.post('/v1/embeddings', { input: 'x' })).status).toBe(200)
    await expect.poll(loaded).toBe(false)
    // Ollama's clients say how long.
    expect((await lazy.post('/api/embed', { input: 'x', keep_alive: -1 })).status).toBe(200)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(await loaded()).toBe(true)
    expect((await lazy.post('/api/embed', { input: 'x', keep_alive: 0 })).status).toBe(200)
    await expect.poll(loaded).toBe(false)
    expect(log).toEqual(['a', 'a'])
  })
})

describe('health', () => {
  it('tells being alive from being ready', async () => {
    const handler = createHandler({ models: { mini: server.embedder } })
    const ask = async (path: string) => (await handler.fetch(new Request(`http://x${path}`))).status
    expect([await ask('/livez'), await ask('/readyz')]).toEqual([200, 200])
    await handler.close()
    expect([await ask('/livez'), await ask('/readyz')]).toEqual([200, 503])
  })
})
