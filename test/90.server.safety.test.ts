import { request } from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createHandler, type LogLine, serve } from '../lib/server/index.ts'
import { type Reply, startServer, type TestServer } from './fixtures/server.ts'

const json = { 'content-type': 'application/json' }

/** As fetch does not let one: any Host, any body in any pieces. */
function raw(url: string, headers: Record<string, string>, ...pieces: string[]): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: pieces.length > 0 ? 'POST' : 'GET', headers }, (answer) => {
      let body = ''
      answer.setEncoding('utf8').on('data', (part) => {
        body += part
      })
      answer.on('end', () => {
        resolve({ status: answer.statusCode!, headers: new Headers(), body })
      })
    })
    sent.on('error', reject)
    for (const piece of pieces) sent.write(piece)
    sent.end()
  })
}

describe('without keys, on this machine', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  it('listens on 127.0.0.1', () => {
    expect(server.running.server.address()).toMatchObject({ address: '127.0.0.1' })
  })

  it('does not answer for other host names', async () => {
    for (const host of ['evil.example', 'evil.example:80', '127.0.0.1.evil.example']) {
      expect((await raw(`${server.url}/health`, { host })).status).toBe(403)
    }
    for (const host of ['localhost', `127.0.0.1:${server.running.port}`, '[::1]:8080']) {
      expect((await raw(`${server.url}/health`, { host })).status).toBe(200)
    }
  })

  it('tells browsers of no other origin that they may read', async () => {
    const { headers } = await server.get('/v1/models', { origin: 'https://evil.example' })
    expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
  })

  it('takes no body that a browser sends unasked', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', '']) {
      const { status } = await raw(
        `${server.url}/embed`,
        { 'content-type': type },
        '{"inputs":"x"}',
      )
      expect(status).toBe(415)
    }
  })

  it('lets the page fetch nothing from elsewhere', async () => {
    const { headers, body } = await server.get('/')
    expect(headers.get('content-type')).toContain('text/html')
    expect(headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-/,
    )
    expect(body).not.toMatch(/(?:src|href)="(?!data:|#)/)
  })
})

describe('keys', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startServer({ keys: ['first key here', 'second key here'] })
  })
  afterAll(() => server[Symbol.asyncDispose]())

  it('let in whoever has one', async () => {
    for (const headers of [
      { authorization: 'Bearer first key here' },
      { authorization: 'bearer second key here' },
      { 'x-api-key': 'first key here' },
    ]) {
      expect((await server.post('/embed', { inputs: 'x' }, headers)).status).toBe(200)
      expect((await server.get('/metrics', headers)).status).toBe(200)
    }
  })

  it('keep out everybody else, in the dialect of the path', async () => {
    const bodies: Record<string, string[]> = {
      '/v1/embeddings': ['error'],
      '/v2/rerank': ['message', 'id'],
      '/v1/rerank': ['message', 'detail', 'id'],
      '/embed': ['error', 'error_type'],
    }
    const strangers: Record<string, string>[] = [
      {},
      { authorization: 'Bearer first key her' },
      { 'x-api-key': 'x' },
    ]
    for (const headers of strangers) {
      for (const [path, names] of Object.entries(bodies)) {
        const { status, body, headers: answered } = await server.post(path, {}, headers)
        expect(status).toBe(401)
        expect(Object.keys(body)).toEqual(names)
        expect(answered.get('www-authenticate')).toBe('Bearer')
      }
      expect((await server.get('/metrics', headers)).status).toBe(401)
      expect((await server.get('/v1/models', headers)).status).toBe(401)
    }
  })

  it('are not needed for what holds no secrets', async () => {
    for (const path of ['/health', '/openapi.json', '/']) {
      expect((await server.get(path)).status).toBe(200)
    }
  })

  it('are asked for before others may reach the server', async () => {
    const models = { mini: server.embedder }
    await expect(serve({ models, host: '0.0.0.0', port: 0 })).rejects.toThrow('API key')
    await expect(serve({ models, host: '::', port: 0 })).rejects.toThrow('API key')
    for (const more of [{ withoutKey: true }, { keys: ['long enough'] }]) {
      await (await serve({ models, host: '0.0.0.0', port: 0, ...more })).close()
    }
    expect(() => createHandler({ models, keys: ['short'] })).toThrow('at least 8 characters')
  })
})

describe('options', () => {
  it('are checked', () => {
    expect(() => createHandler({ models: {} })).toThrow('at least one model')
    expect(() => createHandler({ models: { a: {} as never } })).toThrow('models["a"]')
  })
})

describe('limits', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startServer({
      limits: { bodyBytes: 20_000, batch: 10, requestTokens: 900 },
      corsOrigins: ['https://app.example'],
    })
  })
  afterAll(() => server[Symbol.asyncDispose]())

  it('end a body that is too large, told or not, and the connection goes on', async () => {
    const big = JSON.stringify({ inputs: 'x'.repeat(30_000) })
    expect(await server.post('/embed', big)).toMatchObject({
      status: 413,
      body: { error: expect.stringContaining('at most 20000 bytes') },
    })
    const halves = [big.slice(0, 15_000), big.slice(15_000)]
    expect((await raw(`${server.url}/embed`, json, ...halves)).status).toBe(413)
    expect((await server.post('/embed', { inputs: 'x' })).status).toBe(200)
  })

  it('count texts', async () => {
    for (const [path, body] of [
      ['/embed', { inputs: Array(11).fill('x') }],
      ['/v1/embeddings', { input: Array(11).fill('x') }],
      ['/v2/rerank', { query: 'x', documents: Array(11).fill('x') }],
      ['/rerank', { query: 'x', texts: Array(11).fill('x') }],
    ] as const) {
      const { status, body: answer } = await server.post(path, body)
      expect([400, 422]).toContain(status)
      expect(JSON.stringify(answer)).toContain('batch size 11 > maximum allowed batch size 10')
    }
  })

  it('count tokens', async () => {
    const { status, body } = await server.post('/embed', {
      inputs: Array(10).fill('wörd '.repeat(60)),
    })
    expect(status).toBe(422)
    expect(body.error).toMatch(/at most 900 tokens in one request but received \d+/)
    // Many bytes need not be many tokens.
    const few = { inputs: Array(10).fill('information '.repeat(40)) }
    expect((await server.post('/embed', few)).status).toBe(200)
    const ids = { inputs: Array(10).fill(Array(100).fill(5)) }
    expect((await server.post('/embed', ids)).status).toBe(422)
  })

  it('stop deep JSON before it is parsed', async () => {
    const { body } = await server.post(
      '/embed',
      `{"inputs":${'['.repeat(9_000)}${']'.repeat(9_000)}}`,
    )
    expect(body.error).toContain('at most 16 levels')
    // Brackets in a string are text.
    expect((await server.post('/embed', { inputs: '"\\[{'.repeat(20) })).status).toBe(200)
  })

  it('take JSON in UTF-8 only', async () => {
    const bodies: [number, Record<string, string>, string | Uint8Array][] = [
      [415, { 'content-type': 'application/json; charset=latin1' }, '{}'],
      [415, { ...json, 'content-encoding': 'compress' }, '{}'],
      [422, { ...json, 'content-encoding': 'gzip' }, '{}'],
      [422, json, Uint8Array.of(0x22, 0xff, 0x22)],
      [422, json, '{"inputs":"x"'],
      [422, json, ''],
      [422, json, '[]'],
      [422, json, 'null'],
    ]
    for (const [wanted, headers, body] of bodies) {
      const { status } = await fetch(`${server.url}/embed`, { method: 'POST', headers, body })
      expect(status).toBe(wanted)
    }
  })

  it('are those of Node for headers', async () => {
    const { status } = await raw(`${server.url}/health`, { 'x-long': 'x'.repeat(20_000) })
    expect(status).toBe(431)
  })

  it('end connections that never finish a request', async () => {
    server.running.server.headersTimeout = 100
    server.running.server.requestTimeout = 200
    const start = performance.now()
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(server.running.port, '127.0.0.1')
      let text = ''
      socket.on('data', (part) => {
        text += part
      })
      socket.on('close', () => resolve(text))
      socket.write('POST /embed HTTP/1.1\r\nHost: localhost\r\nX-Slow: ')
    })
    expect(answer).toContain('408 Request Timeout')
    expect(performance.now() - start).toBeLessThan(5000)
  })

  it('let named origins in', async () => {
    const origin = 'https://app.example'
    const { headers } = await server.post('/embed', { inputs: 'x' }, { origin })
    expect(headers.get('access-control-allow-origin')).toBe(origin)
    const other = await server.post('/embed', { inputs: 'x' }, { origin: 'https://b.example' })
    expect(other.headers.get('access-control-allow-origin')).toBe(null)
    const asked = await fetch(`${server.url}/embed`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-headers': 'content-type, x-stainless-os' },
    })
    expect(asked.status).toBe(204)
    expect(asked.headers.get('access-control-allow-headers')).toBe('content-type, x-stainless-os')
  })
})

describe('the log', () => {
  it('has a line for each request and no text of anybody', async () => {
    const lines: LogLine[] = []
    await using server = await startServer({
      log: (line) => lines.push(line),
      corsOrigins: '*',
    })
    lines.length = 0
    const secret = 'ZEBRA'
    const id = { 'x-request-id': 'my-id-1' }
    await server.post('/v1/embeddings', { input: secret, instruction: secret, user: secret }, id)
    await server.post('/v1/embeddings', { input: secret, model: secret })
    await server.post('/v2/rerank', { query: secret, documents: [{ text: 5, [secret]: 1 }] })
    await server.post('/embed', `{"inputs":"${secret}`)
    await server.post('/embed', { inputs: 'x' }, { 'x-request-id': `${secret} with spaces` })
    await server.get(`/${secret}?${secret}`, { [secret]: secret })
    await server.get(`/v1/models/${secret}`)
    await raw(`${server.url}/health`, { host: secret })
    expect(lines).toHaveLength(8)
    expect(JSON.stringify(lines)).not.toContain(secret)
    expect(JSON.stringify(lines)).not.toContain(secret.toLowerCase())
    expect(lines[0]).toMatchObject({
      id: 'my-id-1',
      method: 'POST',
      route: '/v1/embeddings',
      status: 200,
      code: null,
      model: 'mini',
      texts: 1,
      characters: 5,
    })
    expect(lines.map(({ status, code, route }) => [status, code, route]).slice(1)).toEqual([
      [404, 'model_not_found', '/v1/embeddings'],
      [400, 'invalid', '/v2/rerank'],
      [422, 'invalid', '/embed'],
      [200, null, '/embed'],
      [404, 'not_found', 'other'],
      [404, 'model_not_found', '/v1/models/{id}'],
      [403, 'forbidden', '/health'],
    ])
  })

  it('names where an unexpected failure happened, without its message', async () => {
    const lines: LogLine[] = []
    await using server = await startServer()
    const { info, stats, dimensions, maxTokens } = server.embedder
    const embedEach = () => Promise.reject(new TypeError('ZEBRA in a message'))
    const broken = { info, stats, dimensions, maxTokens, embedEach } as never
    const handler = createHandler({ models: { broken }, log: (line) => lines.push(line) })
    const answer = await handler.fetch(
      new Request('http://x/embed', { method: 'POST', headers: json, body: '{"inputs":"x"}' }),
    )
    expect(answer.status).toBe(424)
    expect(await answer.text()).not.toContain('ZEBRA')
    expect(lines[0]).toMatchObject({ status: 424, code: 'failed' })
    expect(lines[0]!.stack).toMatch(/^TypeError \| at /)
    expect(lines[0]!.stack).not.toContain('ZEBRA')
  })
})
