// Many requests, large ones, slow ones, and the end of the server.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import type { LogLine } from '../lib/server/index.ts'
import { secondsToWait } from '../lib/server/admission.ts'
import { startServer } from './fixtures/server.ts'

const many = (count: number, words = 20) =>
  Array.from(
    { length: count },
    (_, i) => `passage ${i} ${'about this and that '.repeat(words / 4)}`,
  )

it('Retry-After is how long what waits will take', () => {
  const stats = { productsMs: 1500, attentionMs: 300, restMs: 200, waiting: 100 }
  const of = (finished: number, waiting: number) =>
    secondsToWait({ model: { stats: { ...stats, waiting } }, finished } as never)
  expect([of(10, 100), of(10, 5), of(10, 0), of(1, 1000)]).toEqual([20, 1, 1, 60])
})

describe('under load', () => {
  it('answers clients at the same time as if each were alone', async () => {
    await using server = await startServer()
    const texts = many(60, 300)
    const direct = await server.embedder.embed(texts)
    const answers = await Promise.all(texts.map((inputs) => server.post('/embed', { inputs })))
    for (const [i, { body }] of answers.entries()) {
      expect(body[0].map(Math.fround)).toEqual([...direct[i]!])
    }
    const { packs } = server.embedder.stats
    expect(packs).toBeLessThan(60)
  })

  it('answers a full queue with 429 and when to come back', async () => {
    await using server = await startServer({ maxQueue: 4 })
    const bulk = server.post('/embed', { inputs: many(900) })
    while (server.embedder.stats.waiting === 0) await new Promise((done) => setTimeout(done, 1))
    const refused = await Promise.all([
      server.post('/embed', { inputs: many(5) }),
      server.post('/v1/embeddings', { input: many(5) }),
      server.post('/v2/embed', { texts: many(5) }),
    ])
    for (const { status, headers } of refused) {
      expect(status).toBe(429)
      expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    }
    expect(refused[0]!.body).toEqual({ error: expect.any(String), error_type: 'Overloaded' })
    const openai = new OpenAI({ apiKey: 'x', baseURL: `${server.url}/v1`, maxRetries: 0 })
    const asking = openai.embeddings.create({ model: 'mini', input: many(5) })
    await expect(asking).rejects.toBeInstanceOf(OpenAI.RateLimitError)
    expect((await bulk).body).toHaveLength(900)
  })

  it('counts the tokens of a large request whatever the queue holds', async () => {
    await using server = await startServer({ maxQueue: 4, limits: { requestTokens: 4000 } })
    const inputs = many(9).map((text) => text + ' '.repeat(500))
    expect((await server.post('/embed', { inputs })).status).toBe(200)
  })

  it('takes a number of requests at one time', async () => {
    await using server = await startServer({ limits: { requests: 1 } })
    const bulk = server.post('/embed', { inputs: many(900) })
    while (server.embedder.stats.waiting === 0) await new Promise((done) => setTimeout(done, 1))
    expect((await server.post('/embed', { inputs: 'x' })).status).toBe(429)
    expect((await server.get('/health')).status).toBe(200)
    expect((await bulk).status).toBe(200)
  })

  it('answers a query while a large request runs', async () => {
    await using server = await startServer()
    const order: string[] = []
    const bulk = server.post('/embed', { inputs: many(2048) }).then(() => order.push('bulk'))
    while (server.embedder.stats.packs < 2) await new Promise((done) => setTimeout(done, 1))
    for (let i = 0; i < 3; i++) {
      await server.post('/embed', { inputs: 'quick' }).then(() => order.push('query'))
    }
    await bulk
    expect(order).toEqual(['query', 'query', 'query', 'bulk'])
  })

  it('ends a request at its deadline and frees its work', async () => {
    await using server = await startServer({ limits: { deadline: 60 } })
    const { status, body, headers } = await server.post('/v1/embeddings', { input: many(2048) })
    expect(status).toBe(504)
    expect(body.error).toMatchObject({ type: 'server_error', code: 'deadline_exceeded' })
    // OpenAI's client would otherwise try again.
    expect(headers.get('x-should-retry')).toBe('false')
    await expect.poll(() => server.embedder.stats.waiting, { timeout: 1000 }).toBe(0)
  })

  it('frees the work of a client that goes away', async () => {
    const lines: LogLine[] = []
    const limits = { requestTokens: 1_000_000 }
    await using server = await startServer({ limits, log: (line) => lines.push(line) })
    const gone = new AbortController()
    const asked = fetch(`${server.url}/embed`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ inputs: many(2048, 100) }),
      signal: gone.signal,
    })
    while (server.embedder.stats.packs === 0) await new Promise((done) => setTimeout(done, 1))
    gone.abort()
    await expect(asked).rejects.toThrow('abort')
    await expect.poll(() => server.embedder.stats.waiting, { timeout: 1000 }).toBe(0)
    await expect.poll(() => lines.at(-1)).toMatchObject({ status: 499, code: 'client_gone' })
    expect(server.embedder.stats.tokens).toBeLessThan(100_000)
  })

  it('frees the work of one long text whose client goes away while it is tokenised', async () => {
    const limits = { requestTokens: 10_000_000, bodyBytes: 64 << 20 }
    await using server = await startServer({ limits })
    const gone = new AbortController()
    const order: string[] = []
    const asked = fetch(`${server.url}/embed`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ inputs: 'a word and '.repeat(1_500_000), truncate: true }),
      signal: gone.signal,
    }).finally(() => order.push('gone'))
    while (server.embedder.stats.waiting === 0) await new Promise((done) => setTimeout(done, 1))
    await server.post('/embed', { inputs: 'quick' }).then(() => order.push('query'))
    gone.abort()
    await expect(asked).rejects.toThrow('abort')
    expect(order).toEqual(['query', 'gone'])
    await expect.poll(() => server.embedder.stats.waiting, { timeout: 1000 }).toBe(0)
    expect((await server.post('/embed', { inputs: 'quick' })).status).toBe(200)
  })

  it('keeps no memory of requests', async () => {
    await using server = await startServer()
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const bodies = [
      ['/embed', { inputs: 'some text' }],
      ['/v1/embeddings', { input: ['a', 'b'], encoding_format: 'base64' }],
      ['/embed', { inputs: [] }],
      ['/nowhere', {}],
    ] as const
    const run = async (count: number) => {
      for (let i = 0; i < count; i += 16) {
        await Promise.all(
          Array.from({ length: 16 }, (_, k) => {
            const [path, body] = bodies[(i + k) % bodies.length]!
            return server.post(path, body)
          }),
        )
      }
      collect()
      return process.memoryUsage().heapUsed / 1e6
    }
    const before = await run(480)
    const after = await run(960)
    expect(after - before).toBeLessThan(2)
  })
})

describe('the end', () => {
  it('lets running requests finish, takes no more, and is safe twice', async () => {
    await using server = await startServer()
    const bulk = server.post('/embed', { inputs: many(1000) })
    while (server.embedder.stats.waiting === 0) await new Promise((done) => setTimeout(done, 1))
    const closing = [server.running.close(), server.running.close()]
    await expect(fetch(`${server.url}/health`)).rejects.toThrow()
    expect((await bulk).body).toHaveLength(1000)
    await Promise.all(closing)
  })

  it('does not wait for ever', async () => {
    await using server = await startServer()
    const bulk = server.post('/embed', { inputs: many(2048, 100) })
    while (server.embedder.stats.waiting === 0) await new Promise((done) => setTimeout(done, 1))
    await Promise.all([server.running.close({ patience: 50 }), expect(bulk).rejects.toThrow()])
    expect(server.embedder.stats.waiting).toBeLessThanOrEqual(2048)
  })
})

describe('qwen3-embed serve', () => {
  const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))

  async function start(...words: string[]) {
    const child = spawn(process.execPath, [main, 'serve', '--port', '0', ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const lines: object[] = []
    const reader = createInterface({ input: child.stdout! })
    const listening = new Promise<{ listening: string; models: string[] }>((resolve, reject) => {
      reader.on('line', (line) => {
        lines.push(JSON.parse(line))
        resolve(lines[0] as never)
      })
      child.on('exit', (code) => reject(new Error(`It ended with ${code}`)))
    })
    const { listening: url, models } = await listening
    return { child, lines, url, models }
  }

  const ask = (url: string, inputs: unknown) =>
    fetch(`${url}/embed`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ inputs }),
    })

  const working = (url: string) =>
    expect
      .poll(async () => (await fetch(`${url}/metrics`)).text(), { timeout: 30_000 })
      .toMatch(/^qwen3_embed_queue_texts\S+ [1-9]/m)

  const ended = async (child: ChildProcess) =>
    child.exitCode ??
    child.signalCode ??
    (await once(child, 'exit').then(([code, by]) => code ?? by))

  it('serves, logs, and on SIGTERM lets requests finish', async () => {
    const { child, lines, url, models } = await start('other=mini', 'mini')
    expect(models).toEqual(['other', 'mini'])
    const answer = ask(url, many(900))
    await working(url)
    child.kill('SIGTERM')
    const response = await answer
    expect(await response.json()).toHaveLength(900)
    expect(await ended(child)).toBe(0)
    expect(lines.at(-1)).toMatchObject({ route: '/embed', status: 200, texts: 900 })
  })

  it('stops at once on a second signal', async () => {
    const { child, url } = await start('--no-page')
    const answer = ask(url, many(2048, 100)).catch(() => null)
    await working(url)
    child.kill('SIGTERM')
    await new Promise((done) => setTimeout(done, 50))
    child.kill('SIGTERM')
    expect(await ended(child)).toBe('SIGTERM')
    await answer
  })
})
