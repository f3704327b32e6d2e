// Requests as curl would send them, to the byte of what each API documents.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultInstruction, quantize } from '../lib/index.ts'
import { startServer, type TestServer } from './fixtures/server.ts'

const texts = ['a cat on the sofa', 'ein Kätzchen 🐈', 'the price of oil']
const query = 'which animal sleeps?'
let server: TestServer
beforeAll(async () => {
  server = await startServer({ prompts: { find: 'Find the same thing said otherwise' } })
})
afterAll(() => server[Symbol.asyncDispose]())

const exact = (vectors: Iterable<Float32Array>) => [...vectors].map((vector) => [...vector])
const single = (lists: number[][]) => lists.map((list) => list.map(Math.fround))

describe('TEI', () => {
  it('/embed gives a list of vectors, for a string, strings, ids, or lists of ids', async () => {
    const vectors = exact(await server.embedder.embed(texts))
    const ids = await Promise.all(
      texts.map(async (text) => [...(await server.embedder.tokenize(text))]),
    )
    for (const [inputs, wanted] of [
      [texts[0], vectors.slice(0, 1)],
      [texts, vectors],
      [ids[0], vectors.slice(0, 1)],
      [ids, vectors],
      [[texts[0], ids[1]], vectors.slice(0, 2)],
    ]) {
      const { status, body, headers } = await server.post('/embed', { inputs })
      expect(status).toBe(200)
      expect(single(body)).toEqual(wanted)
      expect(Number(headers.get('x-compute-tokens'))).toBeGreaterThan(0)
    }
  })

  it('/embed obeys normalize, dimensions, truncate and prompt_name', async () => {
    const plain = await server.embedder.embed(texts, { normalize: false, dimensions: 40 })
    const cut = await server.post('/embed', { inputs: texts, normalize: false, dimensions: 40 })
    expect(single(cut.body)).toEqual(exact(plain))
    const long = { inputs: 'word '.repeat(1500), truncate: true, truncation_direction: 'Right' }
    const { status, headers } = await server.post('/embed', long)
    expect(status).toBe(200)
    expect(Number(headers.get('x-truncated-tokens'))).toBeGreaterThan(400)
    expect((await server.post('/embed', { ...long, truncate: false })).body).toEqual({
      error: expect.stringMatching(/^`inputs` must have at most 1024 tokens. Given: 150\d/),
      error_type: 'Validation',
    })
    const left = await server.post('/embed', { ...long, truncation_direction: 'Left' })
    expect(left.status).toBe(422)
    const named = await server.post('/embed', { inputs: texts, prompt_name: 'find' })
    const found = { instruction: 'Find the same thing said otherwise' }
    expect(single(named.body)).toEqual(exact(await server.embedder.embed(texts, found)))
    const unknown = await server.post('/embed', { inputs: texts, prompt_name: 'nope' })
    expect(unknown.status).toBe(422)
    expect(unknown.body.error).toContain('query, document, find')
  })

  it('/embed_all gives a vector for each token', async () => {
    const { body } = await server.post('/embed_all', { inputs: texts })
    const rows = await server.embedder.embed(texts, { pooling: 'none', normalize: false })
    for (const [i, text] of texts.entries()) {
      expect(body[i]).toHaveLength(await server.embedder.countTokens(text))
      expect((body[i] as number[][]).flat().map(Math.fround)).toEqual([...rows[i]!])
    }
  })

  it('/rerank is told from Jina’s by texts', async () => {
    const ranked = await server.reranker.rank(query, texts)
    expect((await server.post('/rerank', { query, texts })).body).toEqual(ranked)
    const full = await server.post('/rerank', {
      query,
      texts,
      raw_scores: true,
      return_text: true,
      instruction: 'Find the opposite',
    })
    const logits = await server.reranker.rank(query, texts, {
      output: 'logit',
      instruction: 'Find the opposite',
    })
    expect(full.body).toEqual(logits.map((one) => ({ ...one, text: texts[one.index] })))
    const wrong = await server.post('/rerank', { query, texts: [] })
    expect(wrong).toMatchObject({ status: 400, body: { error_type: 'Empty' } })
  })

  it('/similarity gives cosines, with instructions in parameters', async () => {
    const inputs = { source_sentence: texts[0], sentences: texts.slice(1) }
    const plain = await server.post('/similarity', { inputs })
    const asked = await server.post('/similarity', { inputs, parameters: { prompt_name: 'query' } })
    expect(plain.body).toHaveLength(2)
    expect(plain.body[0]).toBeGreaterThan(plain.body[1])
    expect(asked.body).not.toEqual(plain.body)
  })

  it('/tokenize gives pieces whose places are in the text', async () => {
    const inputs = ['Grüße, 👩‍👩‍👧!  two  spaces\n\tand ﷽ 漢字', 'plain']
    const { body } = await server.post('/tokenize', { inputs })
    for (const [i, text] of inputs.entries()) {
      const pieces = body[i] as { id: number; start: number; stop: number; text: string }[]
      const ids = await server.embedder.tokenize(text)
      expect(pieces.map(({ id }) => id)).toEqual([...ids])
      expect(pieces.at(-1)).toMatchObject({ special: true, start: null, stop: null })
      const letters = Array.from(text)
      let end = 0
      for (const { start, stop, text: piece } of pieces.slice(0, -1)) {
        expect(letters.slice(start, stop).join('')).toBe(piece)
        expect(start).toBeLessThanOrEqual(end)
        end = stop
      }
      expect(end).toBe(letters.length)
    }
    const bare = await server.post('/tokenize', { inputs: 'plain', add_special_tokens: false })
    expect(bare.body[0].every(({ special }: { special: boolean }) => !special)).toBe(true)
  })

  it('/decode gives the text back', async () => {
    const ids = [...(await server.embedder.tokenize(texts[1]!))]
    expect((await server.post('/decode', { ids })).body).toEqual([texts[1]])
    expect((await server.post('/decode', { ids: [ids, ids] })).body).toEqual([texts[1], texts[1]])
    const all = await server.post('/decode', { ids, skip_special_tokens: false })
    expect(all.body).toEqual([`${texts[1]}<|endoftext|>`])
    expect((await server.post('/decode', { ids: [-1] })).status).toBe(422)
  })

  it('/info tells of a model', async () => {
    expect((await server.get('/info')).body).toMatchObject({
      model_id: 'mini',
      model_type: { embedding: { pooling: 'last_token' } },
      max_input_length: 1024,
      max_client_batch_size: 2048,
      auto_truncate: false,
    })
    const { body } = await server.get('/info?model=ranker')
    expect(body.model_type).toHaveProperty('reranker')
  })
})

describe('Jina', () => {
  it.each(['/v1/rerank', '/rerank'])('%s gives results and usage', async (path) => {
    const ranked = await server.reranker.rank(query, texts)
    const asked = { model: 'ranker', query, documents: texts, top_n: null }
    const { body } = await server.post(path, asked)
    expect(body).toMatchObject({ model: 'ranker', usage: { total_tokens: expect.any(Number) } })
    expect(body.results).toEqual(
      ranked.map(({ index, score }) => ({ index, relevance_score: score })),
    )
    const best = await server.post(path, { ...asked, top_n: 1, return_documents: true })
    expect(best.body.results).toEqual([
      {
        index: ranked[0]!.index,
        relevance_score: ranked[0]!.score,
        document: { text: texts[ranked[0]!.index] },
      },
    ])
    expect((await server.post(path, { ...asked, top_n: 0 })).body.results).toHaveLength(3)
  })

  it('says what is wrong in detail', async () => {
    const jina = await server.post('/rerank', { query, documents: texts, model: 'gpt' })
    expect(jina).toMatchObject({ status: 422, body: { detail: expect.stringContaining('gpt') } })
    const shared = await server.post('/v1/rerank', { query, documents: [1] })
    expect(shared.status).toBe(400)
    expect(shared.body).toEqual({
      message: shared.body.detail,
      detail: expect.stringContaining('documents[0]'),
      id: shared.headers.get('x-request-id'),
    })
  })

  it('ranks by fields of documents', async () => {
    const documents = [
      { title: 'one', text: 'x' },
      { title: 'two', text: 'y' },
    ]
    const { body } = await server.post('/v1/rerank', {
      query,
      documents,
      rank_fields: ['title', 'text'],
    })
    const direct = await server.reranker.rank(query, ['title: one\ntext: x', 'title: two\ntext: y'])
    expect(body.results[0].relevance_score).toBe(direct[0]!.score)
  })
})

describe('/v1/embeddings', () => {
  const ask = async (body: object) =>
    (await server.post('/v1/embeddings', { model: 'mini', input: texts, ...body })).body
  const embeddings = async (body: object) =>
    (await ask(body)).data.map(({ embedding }: { embedding: unknown }) => embedding)

  it('speaks of query and document in every dialect', async () => {
    const documents = exact(await server.embedder.embedDocuments(texts))
    const queries = exact(await server.embedder.embedQueries(texts))
    for (const purpose of [
      { input_type: 'query' },
      { input_type: 'search_query' },
      { prompt_name: 'query' },
      { task: 'retrieval.query' },
      { instruction: defaultInstruction },
    ]) {
      expect(single(await embeddings(purpose))).toEqual(queries)
    }
    for (const purpose of [{}, { input_type: 'search_document' }, { task: 'retrieval.passage' }]) {
      expect(single(await embeddings(purpose))).toEqual(documents)
    }
    expect((await ask({ input_type: 'clustering' })).error.param).toBe('input_type')
    expect((await ask({ input_type: 'query', prompt_name: 'query' })).error.code).toBe('invalid')
  })

  it.each(['int8', 'uint8', 'binary', 'ubinary'] as const)('encodes as %s', async (precision) => {
    const vectors = await server.embedder.embed(texts, { dimensions: 64 })
    const bytes = quantize(vectors, precision as 'int8')
    const wanted = bytes.map((one) => [...one])
    expect(await embeddings({ dimensions: 64, encoding_format: precision })).toEqual(wanted)
    expect(await embeddings({ output_dimension: 64, output_dtype: precision })).toEqual(wanted)
    const packed = { dimensions: 64, output_dtype: precision, encoding_format: 'base64' }
    const decoded = (await embeddings(packed)).map((text: string) => [
      ...new (bytes[0]!.constructor as Uint8ArrayConstructor)(Buffer.from(text, 'base64')),
    ])
    expect(decoded).toEqual(wanted)
  })

  it('streams a large answer, which is whole', async () => {
    const input = Array.from({ length: 600 }, (_, i) => `text ${i}`)
    const direct = await server.embedder.embed(input)
    expect(single(await embeddings({ input }))).toEqual(exact(direct))
  })

  it('takes the first model that fits where none is named', async () => {
    const { body } = await server.post('/v1/embeddings', { input: 'x' })
    expect(body.model).toBe('mini')
  })

  it('refuses fields that it would have to ignore', async () => {
    expect((await ask({ late_chunking: true })).error.param).toBe('late_chunking')
  })
})

describe('mounted elsewhere', () => {
  it('answers Requests with Responses, under a path', async () => {
    const { createHandler } = await import('../lib/server/index.ts')
    const handler = createHandler({ models: { mini: server.embedder }, basePath: '/api/ai' })
    const { fetch: answer } = handler
    const post = (path: string, body: string) =>
      answer(
        new Request(`https://example.test${path}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body,
        }),
      )
    const good = await post('/api/ai/v1/embeddings', '{"input":"x"}')
    expect(good.status).toBe(200)
    expect(await good.json()).toMatchObject({ object: 'list', data: [{ index: 0 }] })
    const many = JSON.stringify({ inputs: Array.from({ length: 400 }, (_, i) => `text ${i}`) })
    const streamed = await post('/api/ai/embed', many)
    expect(await streamed.json()).toHaveLength(400)
    expect((await post('/v1/embeddings', '{"input":"x"}')).status).toBe(404)
    expect((await answer(new Request('https://example.test/api/ai'))).status).toBe(200)
    const head = await answer(new Request('https://example.test/api/ai/health', { method: 'HEAD' }))
    expect(head.status).toBe(200)
    expect(await head.text()).toBe('')
    const whole = await answer(new Request('https://example.test/api/ai/health'))
    expect(head.headers.get('content-length')).toBe(`${(await whole.text()).length}`)
    expect(handler.inFlight).toBe(0)
  })
})
