import { Embedder, similarity } from 'qwen3-embed'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fixture } from './fixtures/models.ts'

let embedder: Embedder
beforeAll(async () => {
  embedder = await Embedder.load(fixture('embed'), { maxTokens: 100 })
})
afterAll(() => embedder.close())

const length = (vector: Float32Array) => Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0))

describe('vectors', () => {
  it('are of unit length, whole or cut', async () => {
    for (const dimensions of [undefined, 32, 33, embedder.dimensions]) {
      const [vector] = await embedder.embed(['some text'], { dimensions } as object)
      expect(vector).toHaveLength(dimensions ?? embedder.dimensions)
      expect(Math.abs(length(vector!) - 1)).toBeLessThan(1e-6)
    }
  })

  it('are cut before they are scaled', async () => {
    const [whole] = await embedder.embed(['some text'], { normalize: false })
    const [cut] = await embedder.embed(['some text'], { dimensions: 32 })
    const scale = 1 / length(whole!.subarray(0, 32))
    for (let i = 0; i < 32; i++) expect(cut![i]).toBeCloseTo(whole![i]! * scale, 6)
  })

  it('come in input order, whatever the lengths', async () => {
    const texts = Array.from({ length: 300 }, (_, i) => `text ${i} `.repeat(1 + (i % 9)))
    const together = await embedder.embedDocuments(texts)
    for (const i of [0, 1, 8, 150, 299]) {
      const [alone] = await embedder.embedDocuments([texts[i]!])
      expect(similarity(together[i]!, alone!)).toBeGreaterThan(0.99999)
    }
  })

  it('exist for an empty string, and for no strings', async () => {
    expect(await embedder.embedQuery('', { instruction: '' })).toHaveLength(embedder.dimensions)
    expect(await embedder.embedDocuments([])).toEqual([])
  })

  it('keep a row for each token without pooling', async () => {
    const [rows] = await embedder.embed(['a few tokens'], { pooling: 'none', normalize: false })
    const [last] = await embedder.embed(['a few tokens'], { normalize: false })
    const tokens = await embedder.countTokens('a few tokens')
    expect(rows).toHaveLength(tokens * embedder.dimensions)
    const final = rows!.subarray(-embedder.dimensions)
    for (let i = 0; i < final.length; i++) expect(final[i]).toBeCloseTo(last![i]!, 4)
  })

  it('differ by instruction, and queries take the default one', async () => {
    const plain = await embedder.embedQuery('text', { instruction: '' })
    const query = await embedder.embedQuery('text')
    const [same] = await embedder.embed(['text'], {
      instruction: 'Given a web search query, retrieve relevant passages that answer the query',
    })
    expect(similarity(query, same!)).toBeGreaterThan(0.99999)
    expect(similarity(query, plain)).toBeLessThan(0.999)
  })
})

describe('token ids', () => {
  it('stand for the text they are of', async () => {
    const ids = await embedder.tokenize('a text of some length')
    const [byText] = await embedder.embed(['a text of some length'])
    expect(await embedder.embed([ids, [...ids.slice(0, -1)] as never])).toEqual([byText, byText])
    expect(await embedder.detokenize(ids.slice(0, -1))).toBe('a text of some length')
    expect(await embedder.detokenize(ids)).toBe('a text of some length<|endoftext|>')
  })

  it('must be the model’s own', async () => {
    await expect(embedder.embed([Int32Array.of(5, 999_999)])).rejects.toMatchObject({
      code: 'ERR_TOKEN_UNKNOWN',
      facts: { index: 0, token: 999_999 },
    })
    await expect(embedder.embed([[1.5]] as never)).rejects.toThrow(TypeError)
    await expect(embedder.embed([[-1]] as never)).rejects.toThrow(TypeError)
    await expect(embedder.detokenize([999_999])).rejects.toMatchObject({
      code: 'ERR_TOKEN_UNKNOWN',
    })
  })
})

describe('length', () => {
  const long = (n: number) => 'a '.repeat(n - 2).trimEnd()

  it('may be exactly maxTokens, end token included', async () => {
    let words = 1
    while ((await embedder.countTokens('word '.repeat(words))) < 100) words++
    const text = 'word '.repeat(words)
    expect(await embedder.countTokens(text)).toBe(100)
    expect(await embedder.embedDocuments([text])).toHaveLength(1)
    const error = embedder.embedDocuments(['fine', `${text}word `])
    await expect(error).rejects.toMatchObject({
      code: 'ERR_TEXT_TOO_LONG',
      facts: { index: 1, tokens: 101, limit: 100 },
    })
  })

  it('is cut at the end when asked, the end token kept', async () => {
    const text = long(300)
    const [item] = await embedder.embedEach([text], { truncate: 'end' })
    expect(item).toMatchObject({ tokens: await embedder.countTokens(text), error: null })
    expect(item!.cut).toBe(item!.tokens - 100)
    // What was kept, spelled out, is the same text.
    const ids = await embedder.tokenize(text)
    const kept = long(300).slice(0, 2 * 99 - 1)
    const keptIds = await embedder.tokenize(kept)
    expect([...keptIds]).toEqual([...ids.slice(0, 99), ids.at(-1)])
    const [same] = await embedder.embed([kept])
    expect(similarity(item!.vector!, same!)).toBeGreaterThan(0.99999)
  })
})

describe('a short limit', () => {
  it('holds in the generic engine, which packs many sequences', async () => {
    await using generic = await Embedder.load(fixture('embed'), {
      engine: 'generic',
      maxTokens: 40,
    })
    const texts = Array.from({ length: 64 }, (_, i) => `text ${i}`)
    expect(await generic.embedDocuments(texts)).toHaveLength(64)
  })
})

describe('one text among others', () => {
  it('fails alone', async () => {
    const items = await embedder.embedEach(['good', 'long '.repeat(500).trim(), 'also good'])
    expect(items.map(({ error }) => error?.code)).toEqual([
      undefined,
      'ERR_TEXT_TOO_LONG',
      undefined,
    ])
    expect(items[1]).toMatchObject({ vector: null, tokens: 501, cut: 0 })
    expect(items[2]!.vector).toEqual((await embedder.embed(['also good']))[0])
  })

  it('whose numbers are not finite is named, and the model goes on', async () => {
    await using poisoned = await Embedder.load(fixture('embed-poisoned'))
    const items = await poisoned.embedEach(['fine', '~ not fine', 'fine'])
    expect(items.map(({ error }) => error?.code)).toEqual([undefined, 'ERR_NON_FINITE', undefined])
    expect(items[2]!.vector).toEqual(items[0]!.vector)
    await expect(poisoned.embedDocuments(['a', '~'])).rejects.toMatchObject({ facts: { index: 1 } })
    expect(await poisoned.embedQuery('fine again')).toHaveLength(poisoned.dimensions)
  })
})

describe('progress', () => {
  it('counts to the end', async () => {
    const seen: number[] = []
    await embedder.embedDocuments(Array(500).fill('some text of some length'), {
      onProgress: ({ phase, done, total, unit, rate, eta }) => {
        expect({ phase, total, unit }).toEqual({ phase: 'embed', total: 500, unit: 'texts' })
        expect(rate).toBeGreaterThan(0)
        if (done === 500) expect(eta).toBe(0)
        seen.push(done)
      },
    })
    expect(seen.at(-1)).toBe(500)
  })
})

describe('similarity', () => {
  it('refuses vectors of different lengths', () => {
    expect(() => similarity(new Float32Array(2), new Float32Array(3))).toThrow(RangeError)
  })
})
