// Whatever comes, the answer is one that /openapi.json documents, it comes soon, and the next request is answered.
import { connect } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AnswerCheck } from './fixtures/openapi-check.ts'
import { startServer, type TestServer } from './fixtures/server.ts'

let server: TestServer
let answers: AnswerCheck
let known: Record<string, readonly string[]>

beforeAll(async () => {
  server = await startServer({ limits: { bodyBytes: 20_000, batch: 20, requestTokens: 2_000 } })
  const description = (await server.get('/openapi.json')).body
  answers = new AnswerCheck(description)
  known = Object.fromEntries(
    posts.map((path) => {
      const { schema } = description.paths[path].post.requestBody.content['application/json']
      const refs = (schema.anyOf ?? [schema]) as { $ref: string }[]
      const names = refs.flatMap(({ $ref }) =>
        Object.keys(description.components.schemas[$ref.split('/').at(-1)!].properties),
      )
      return [path, names]
    }),
  )
})
afterAll(() => server[Symbol.asyncDispose]())

const posts = [
  '/v1/embeddings',
  '/v2/embed',
  '/v1/rerank',
  '/v2/rerank',
  '/rerank',
  '/embed',
  '/embed_all',
  '/similarity',
  '/tokenize',
  '/decode',
  '/',
  '/v1/embed',
  '/v1/score',
  '/v1/ranking',
  '/v1/tokenize',
  '/v1/detokenize',
  '/api/embed',
  '/api/embeddings',
  '/api/show',
] as const

async function check(path: string, init: RequestInit): Promise<number> {
  const answer = await fetch(server.url + path, { ...init, signal: AbortSignal.timeout(10_000) })
  const text = await answer.text()
  const body: unknown = JSON.parse(text)
  expect([500, 424]).not.toContain(answer.status)
  answers.check('POST', path, answer.status, body)
  return answer.status
}

// FUZZ=20 npx vitest run test/90.server.fuzz --testTimeout 0: twenty times as many, and others each time.
const times = Number(process.env.FUZZ ?? 0)
const runs = (numRuns: number, seed: number) =>
  times > 0 ? { numRuns: times * numRuns } : { numRuns, seed }

const headers = { 'content-type': 'application/json' }

const text = fc.oneof(
  fc.constantFrom(
    '',
    'a cat',
    'x'.repeat(3_000),
    'wort '.repeat(400),
    '\ud800',
    '\0',
    '<|endoftext|>',
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
)
const junk = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  text,
  fc.array(text, { maxLength: 25 }),
  fc.array(fc.integer({ min: -5, max: 40_000 }), { maxLength: 8 }),
  fc.array(fc.array(fc.integer({ min: 0, max: 24_000 }), { maxLength: 5 }), { maxLength: 4 }),
  fc.constantFrom(null, true, false, 0, -1, 1e308, 2 ** 53, 0.5, [], {}, [[]], [null]),
)
const field = <T>(good: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 9, arbitrary: good }, { weight: 1, arbitrary: junk })
const texts = field(fc.array(text, { minLength: 1, maxLength: 6 }))

// The fields that any route reads, mostly of the right type.
const fields = {
  model: field(fc.constantFrom('mini', 'ranker', undefined)),
  input: texts,
  inputs: fc.oneof(texts, fc.record({ source_sentence: field(text), sentences: texts })),
  texts,
  documents: texts,
  ids: field(fc.array(fc.integer({ min: 0, max: 24_000 }), { maxLength: 9 })),
  query: field(text),
  encoding_format: field(fc.constantFrom('float', 'base64', 'int8', 'ubinary')),
  output_dtype: field(fc.constantFrom('uint8', 'binary')),
  embedding_types: field(fc.constant(['float', 'ubinary'])),
  dimensions: field(fc.integer({ min: 30, max: 260 })),
  normalize: field(fc.boolean()),
  truncate: field(fc.constantFrom(true, false, 'END', 'NONE')),
  truncation: field(fc.boolean()),
  truncation_direction: field(fc.constantFrom('Left', 'Right')),
  instruction: field(text),
  prompt_name: field(fc.constantFrom('query', 'document')),
  input_type: field(fc.constantFrom('query', 'search_document')),
  top_n: field(fc.integer({ min: 0, max: 9 })),
  max_tokens_per_doc: field(fc.integer({ min: 1, max: 50 })),
  return_documents: field(fc.boolean()),
  rank_fields: field(fc.constant(['text'])),
  raw_scores: field(fc.boolean()),
  return_text: field(fc.boolean()),
  parameters: field(fc.constant({})),
  add_special_tokens: field(fc.boolean()),
  skip_special_tokens: field(fc.boolean()),
  priority: field(fc.constantFrom('interactive', 'bulk', 0, 5)),
  late_chunking: field(fc.constant(false)),
  prompt: field(text),
  text: field(text),
  text_1: field(text),
  text_2: texts,
  tokens: field(fc.array(fc.integer({ min: 0, max: 24_000 }), { maxLength: 9 })),
  passages: field(fc.array(fc.record({ text }), { minLength: 1, maxLength: 4 })),
  keep_alive: field(fc.constantFrom('10m', 0, '-1')),
}
const request = fc.record(fields, { requiredKeys: [] })
const path = fc.constantFrom(...posts)

/** Mostly the fields that a path knows: unknown ones are refused, which would be all there is to see. */
const requestTo = (to: string) =>
  fc.tuple(request, fc.integer({ min: 0, max: 9 })).map(([body, dice]) => {
    if (dice === 0) return body
    return Object.fromEntries(Object.entries(body).filter(([name]) => known[to]!.includes(name)))
  })

describe('every answer is documented', () => {
  it('to bodies with fields right and wrong', async () => {
    const seen = new Map<number, number>()
    await fc.assert(
      fc.asyncProperty(
        path.chain((to) => fc.tuple(fc.constant(to), requestTo(to))),
        async ([path, body]) => {
          const status = await check(path, { method: 'POST', headers, body: JSON.stringify(body) })
          seen.set(status, (seen.get(status) ?? 0) + 1)
        },
      ),
      runs(350, 6),
    )
    // Else this would only show that nonsense is refused.
    expect(seen.get(200)).toBeGreaterThan(30)
    expect(seen.get(422)).toBeGreaterThan(30)
  })

  it('to bodies of any bytes, cut anywhere', async () => {
    const valid = request.map((body) => Buffer.from(JSON.stringify(body)))
    const cut = fc.tuple(valid, fc.double({ min: 0, max: 1, noNaN: true }))
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      cut.map(([whole, share]) => whole.subarray(0, Math.floor(whole.length * share))),
      fc.nat(9_000).map((depth) => Buffer.from('['.repeat(depth))),
      fc.constant(Buffer.alloc(30_000, 0x20)),
    )
    await fc.assert(
      fc.asyncProperty(path, bytes, async (path, body) => {
        await check(path, { method: 'POST', headers, body })
      }),
      runs(200, 7),
    )
  })

  it('to any headers', async () => {
    const value = fc
      .string({ maxLength: 40 })
      .map((text) => text.replace(/[^\x20-\x7e]/g, '').trim())
    const odd = fc.record(
      {
        'content-type': fc.oneof(
          value,
          fc.constantFrom('application/json; charset=x', 'text/json'),
        ),
        'content-encoding': fc.oneof(value, fc.constantFrom('gzip', 'identity')),
        authorization: value,
        'x-request-id': value,
        origin: value,
        accept: value,
      },
      { requiredKeys: ['content-type'] },
    )
    await fc.assert(
      fc.asyncProperty(path, odd, async (path, headers) => {
        await check(path, { method: 'POST', headers, body: '{"inputs":"x","input":"x"}' })
      }),
      runs(100, 8),
    )
  })

  it('and broken connections leave nothing behind', async () => {
    const start = fc.constantFrom(
      'POST /embed HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"inputs"',
      'POST /embed HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"inp',
      'POST /embed HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
      'POST /embed HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n',
      'GET / HTTP/9.9\r\n\r\n',
      '\0\0\0\0',
    )
    await fc.assert(
      fc.asyncProperty(
        start,
        fc.uint8Array({ maxLength: 20 }),
        (start, rest) =>
          new Promise<void>((resolve) => {
            const socket = connect(server.running.port, '127.0.0.1')
            socket.on('close', () => resolve()).on('error', () => {})
            socket.end(Buffer.concat([Buffer.from(start), rest]))
            socket.resume()
          }),
      ),
      runs(50, 9),
    )
    await expect
      .poll(async () => (await server.get('/metrics')).body)
      .toContain('qwen3_embed_requests_in_flight 1\n')
    expect((await server.post('/embed', { inputs: 'still here' })).status).toBe(200)
  })
})
