import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import * as otel from '@opentelemetry/api'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createHandler } from '../lib/server/index.ts'
import { startServer, type TestServer } from './fixtures/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server[Symbol.asyncDispose]())

describe('/metrics', () => {
  const metrics = async () => {
    const { body, headers } = await server.get('/metrics')
    expect(headers.get('content-type')).toBe('text/plain; version=0.0.4')
    const samples = new Map<string, number>()
    for (const line of (body as string).trim().split('\n')) {
      if (line.startsWith('#')) {
        expect(line).toMatch(/^# (HELP [\w:]+ \S.*|TYPE [\w:]+ (counter|gauge|histogram))$/)
        continue
      }
      const [, name, value] = /^([a-z\d_]+(?:\{(?:[a-z_]+="[^"]*",?)+\})?) (\S+)$/.exec(line)!
      expect(samples.has(name!), `${name} twice`).toBe(false)
      samples.set(name!, Number(value))
    }
    return samples
  }

  it('counts requests, failures, texts, tokens, passes and waits', async () => {
    const before = await metrics()
    await server.post('/embed', { inputs: ['a text', 'a text and more'], prompt_name: 'query' })
    await server.post('/embed', { inputs: 'word '.repeat(1500), truncate: true })
    await server.post('/embed', { inputs: 5 })
    await server.post('/v2/rerank', { query: 'q', documents: ['a', 'b'] })
    const after = await metrics()
    const grew = (name: string) =>
      after.get(`qwen3_embed_${name}`)! - (before.get(`qwen3_embed_${name}`) ?? 0)
    expect(grew('requests_total{route="/embed",status="200"}')).toBe(2)
    expect(grew('requests_total{route="/embed",status="422"}')).toBe(1)
    expect(grew('failures_total{route="/embed",code="invalid"}')).toBe(1)
    expect(grew('texts_total{model="mini"}')).toBe(3)
    expect(grew('texts_total{model="ranker"}')).toBe(2)
    expect(grew('tokens_cut_total{model="mini"}')).toBeGreaterThan(400)
    expect(grew('tokens_total{model="mini"}')).toBeGreaterThan(1024)
    expect(grew('packs_total{model="mini"}')).toBeGreaterThanOrEqual(2)
    expect(grew('request_seconds_count{route="/embed"}')).toBe(3)
    expect(grew('request_seconds_bucket{route="/embed",le="+Inf"}')).toBe(3)
    expect(grew('first_pass_seconds_count{model="mini"}')).toBe(2)
    expect(grew('pass_seconds_total{model="mini",stage="products"}')).toBeGreaterThan(0)
    // The two queries begin with one instruction; the reranker's prompts with one question.
    const shared = (model: string) => after.get(`qwen3_embed_shared_token_ratio{model="${model}"}`)!
    expect(shared('mini')).toBeGreaterThan(0)
    expect(shared('ranker')).toBeGreaterThan(0.3)
    const fill = after.get('qwen3_embed_pack_fill_ratio{model="mini"}')!
    const { tokensRun, packs } = server.embedder.stats
    expect(fill).toBeCloseTo(tokensRun / (packs * server.embedder.info.budget), 9)
    expect(after.get('qwen3_embed_queue_texts{model="mini"}')).toBe(0)
    expect(after.get('qwen3_embed_requests_in_flight')).toBe(1)
    expect(after.get('process_resident_memory_bytes')).toBeGreaterThan(1e7)
  })
})

describe('/openapi.json', () => {
  it('describes every path that the docs tell of, and no other', async () => {
    const { paths } = (await server.get('/openapi.json')).body
    const docs = readFileSync(fileURLToPath(new URL('../docs/server.md', import.meta.url)), 'utf8')
    const told = [...docs.matchAll(/`(GET|POST) (\/[\w/{}.-]*)`/g)].map((m) => `${m[1]} ${m[2]}`)
    const described = Object.entries(paths as Record<string, object>).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect([...new Set(told)].sort()).toEqual(described.sort())
  })

  it('tells what is not JSON', async () => {
    const { paths } = (await server.get('/openapi.json')).body
    for (const [path, media] of [
      ['/metrics', 'text/plain'],
      ['/', 'text/html'],
    ] as const) {
      expect(Object.keys(paths[path].get.responses[200].content)).toEqual([media])
      expect((await server.get(path)).headers.get('content-type')).toContain(media)
    }
  })

  it('knows that the page is off', async () => {
    await using plain = await startServer({ page: false })
    const { paths } = (await plain.get('/openapi.json')).body
    expect(Object.keys(paths['/'].get.responses[200].content)).toEqual(['application/json'])
    expect((await plain.get('/')).body).toEqual({ status: 'ok' })
  })

  it('names every operation, and every schema that it speaks of', async () => {
    const { paths, components } = (await server.get('/openapi.json')).body
    const operations = Object.values(paths as Record<string, object>).flatMap((path) =>
      Object.entries(path),
    )
    const ids = operations.map(([, { operationId }]) => operationId)
    expect(new Set(ids).size).toBe(ids.length)
    for (const [verb, { requestBody, responses }] of operations) {
      const contents = [...(verb === 'post' ? [requestBody] : []), ...Object.values(responses)]
      for (const { content } of contents as { content: Record<string, { schema: object }> }[]) {
        const refs = [...JSON.stringify(content).matchAll(/#\/components\/schemas\/(\w+)/g)]
        expect(refs.length).toBeGreaterThan(0)
        for (const [, name] of refs) expect(components.schemas).toHaveProperty(name!)
      }
    }
  })

  it('is what requests are checked by', async () => {
    const { components } = (await server.get('/openapi.json')).body
    const { properties, additionalProperties } = components.schemas.EmbeddingRequest
    expect(additionalProperties).toBe(false)
    expect(properties.dimensions).toMatchObject({ minimum: 32 })
    expect(properties.embedding_type.enum).toContain('ubinary')
    const { status, body } = await server.post('/v1/embeddings', { input: 'x', dimension: 64 })
    expect([status, body.error.param]).toEqual([400, 'dimension'])
    expect(body.error.message).toContain('Did you mean dimensions?')
  })
})

describe('tracing', () => {
  interface Seen {
    name: string
    attributes: Record<string, unknown>
    parent: string | undefined
    status: number | undefined
    isEnded: boolean
  }
  const seen: Seen[] = []

  beforeAll(() => {
    const startSpan = (name: string, _: unknown, context: otel.Context) => {
      const parent = otel.trace.getSpanContext(context)?.traceId
      const span: Seen = { name, attributes: {}, parent, status: undefined, isEnded: false }
      seen.push(span)
      return {
        setAttribute: (key: string, value: unknown) =>
          Object.assign(span.attributes, { [key]: value }),
        setAttributes: (more: object) => Object.assign(span.attributes, more),
        setStatus: ({ code }: { code: number }) => Object.assign(span, { status: code }),
        end: () => Object.assign(span, { isEnded: true }),
      }
    }
    otel.trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan }) } as never)
    otel.propagation.setGlobalPropagator({
      inject: () => {},
      fields: () => [],
      extract: (context, carrier, { get }) =>
        otel.trace.setSpanContext(context, {
          traceId: [get(carrier, 'traceparent')].flat()[0]!.split('-')[1]!,
          spanId: '00f067aa0ba902b7',
          traceFlags: 1,
        }),
    })
  })
  afterAll(() => {
    otel.trace.disable()
    otel.propagation.disable()
  })

  it('makes a span of each request, within the caller’s trace', async () => {
    const models = { mini: server.embedder, ranker: server.reranker }
    const handler = createHandler({ models, tracing: true })
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
    const ask = (body: object) =>
      handler.fetch(
        new Request('http://x/v1/embeddings', {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
          },
          body: JSON.stringify(body),
        }),
      )
    expect((await ask({ input: 'a', dimensions: 64 })).status).toBe(200)
    expect((await ask({ input: 5 })).status).toBe(400)
    const ranking = await handler.fetch(
      new Request('http://x/rerank', {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
        },
        body: JSON.stringify({ query: 'q', documents: ['d'] }),
      }),
    )
    expect(ranking.status).toBe(200)
    expect(seen).toMatchObject([
      {
        name: 'POST /v1/embeddings',
        parent: traceId,
        isEnded: true,
        status: undefined,
        attributes: {
          'http.response.status_code': 200,
          'gen_ai.operation.name': 'embeddings',
          'gen_ai.request.model': 'mini',
          'gen_ai.usage.input_tokens': 2,
          'gen_ai.embeddings.dimension.count': 64,
        },
      },
      { isEnded: true, attributes: { 'http.response.status_code': 400, 'error.type': 'invalid' } },
      {
        isEnded: true,
        attributes: { 'gen_ai.operation.name': 'retrieval', 'gen_ai.request.model': 'ranker' },
      },
    ])
  })
})
