import { Embedder } from 'qwen3-embed'
import { describe, expect, it } from 'vitest'

describe('closing', () => {
  it('finishes earlier calls, refuses later ones, and is safe twice', async () => {
    const embedder = await Embedder.load('mini')
    const pending = embedder.embedDocuments(Array.from({ length: 200 }, (_, i) => `document ${i}`))
    const closing = [embedder.close(), embedder.close()]
    await expect(embedder.embedQuery('late')).rejects.toMatchObject({
      name: 'Qwen3Error',
      code: 'ERR_CLOSED',
    })
    expect(await pending).toHaveLength(200)
    await Promise.all(closing)
    await embedder.close()
    await expect(embedder.countTokens('late')).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  })

  it('is what `await using` calls', async () => {
    const embedder = await Embedder.load('mini')
    await embedder[Symbol.asyncDispose]()
    await expect(embedder.embedQuery('late')).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  })
})

describe('aborting', () => {
  it('rejects with the reason before anything runs', async () => {
    await using embedder = await Embedder.load('mini')
    const reason = new Error('changed my mind')
    await expect(embedder.embedQuery('x', { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    )
    await expect(Embedder.load('mini', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })

  it('stops a running call and leaves the others alone', async () => {
    await using embedder = await Embedder.load('mini')
    const stop = new AbortController()
    const texts = Array.from(
      { length: 5000 },
      (_, i) => `passage ${i} about this and that, again and again`,
    )
    const long = embedder.embedDocuments(texts, { signal: stop.signal })
    const other = embedder.embedDocuments(texts.slice(0, 50))
    setTimeout(() => stop.abort(), 30)
    await expect(long).rejects.toMatchObject({ name: 'AbortError' })
    expect(await other).toHaveLength(50)
    expect(await embedder.embedQuery('still usable')).toHaveLength(256)
  })
})

describe('the queue', () => {
  it('is bounded, with a typed error', async () => {
    await using embedder = await Embedder.load('mini', { maxQueue: 10 })
    const texts = Array.from({ length: 300 }, (_, i) => `passage ${i}`)
    const first = embedder.embedDocuments(texts)
    await expect(embedder.embedDocuments(texts)).rejects.toMatchObject({
      code: 'ERR_QUEUE_FULL',
      facts: { limit: 10 },
    })
    // What runs no model needs no place.
    const counts = texts.map((text) => embedder.countTokens(text))
    expect(await Promise.all(counts)).toHaveLength(300)
    expect(await first).toHaveLength(300)
    expect(await embedder.embedDocuments(texts)).toHaveLength(300)
  })

  it('lets a query pass a bulk job', async () => {
    await using embedder = await Embedder.load('mini')
    const texts = Array.from(
      { length: 3000 },
      (_, i) => `passage ${i} about this and that, again and again`,
    )
    const order: string[] = []
    const bulk = embedder.embedDocuments(texts).then(() => order.push('bulk'))
    await new Promise((resolve) => setTimeout(resolve, 20))
    await embedder.embedQuery('quick').then(() => order.push('query'))
    await bulk
    expect(order).toEqual(['query', 'bulk'])
  })
})
