import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AdapterOptions, Embedder, Reranker, similarity } from 'qwen3-embed'
import { afterAll, describe, expect, it } from 'vitest'
import { type AdapterShape, changesFor, writeAdapter, writeMerged } from './fixtures/adapter.ts'
import { GgufReader } from './fixtures/gguf-reader.ts'
import { f32, string, writeGguf } from './fixtures/gguf-writer.ts'
import { type FixtureName, fixture } from './fixtures/models.ts'
import { quantize } from './fixtures/quantize.ts'
import { expectSame } from './fixtures/vectors.ts'

const folder = mkdtempSync(join(tmpdir(), 'adapters-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string) => join(folder, name)
const mini = new URL('../models/mini/mini-embed-Q8_0.gguf', import.meta.url).pathname

const texts = Array.from(
  { length: 12 },
  (_, i) => `text ${i}: ${'wing and boundary layer '.repeat(1 + (i % 4))}`,
)
const engines = ['packed', 'generic'] as const

function adapterFor(model: string, name: string, shape: AdapterShape = {}): string {
  writeAdapter(at(name), new GgufReader(model), shape)
  return at(name)
}

const leastCosine = (a: Float32Array[], b: Float32Array[]) =>
  Math.min(...a.map((vector, i) => similarity(vector, b[i]!)))

describe('an adapter at inference', () => {
  // Measured: 1 - cosine 2e-8, of either engine on F32.
  it.each(engines)('is the merged model (%s)', async (engine) => {
    const base = fixture('embed')
    const [one, two] = [
      { rank: 3, alpha: 6, size: 0.3 },
      { rank: 8, seed: 2, type: 'F16', size: 0.3 } as const,
    ]
    const merged = at(`merged-${engine}.gguf`)
    writeMerged(merged, new GgufReader(base), 'F32', [{ shape: one }, { shape: two, scale: 0.5 }])
    const adapter: AdapterOptions[] = [
      { path: adapterFor(base, `one-${engine}.gguf`, one) },
      { path: adapterFor(base, `two-${engine}.gguf`, two), scale: 0.5 },
    ]
    await using adapted = await Embedder.load(base, { engine, adapter })
    await using whole = await Embedder.load(merged, { engine })
    await using plain = await Embedder.load(base, { engine })
    const vectors = await adapted.embed(texts)
    expect(leastCosine(vectors, await whole.embed(texts))).toBeGreaterThan(1 - 2e-7)
    expect(leastCosine(vectors, await plain.embed(texts))).toBeLessThan(0.99)
  })

  // Measured on `mini`, 1 - cosine: F16 5e-8, Q8_0 2e-5 (which is what the engines differ by without an adapter).
  it.each([
    ['F16', 1 - 5e-7],
    ['Q8_0', 1 - 2e-4],
  ] as const)("is llama.cpp's on a base of %s", async (type, least) => {
    const base = type === 'Q8_0' ? mini : at('mini-f16.gguf')
    if (type === 'F16') writeMerged(base, new GgufReader(mini), 'F16')
    const adapter = adapterFor(base, `mini-${type}.gguf`, { rank: 16, alpha: 32 })
    await using ours = await Embedder.load(base, { adapter })
    await using theirs = await Embedder.load(base, { adapter, engine: 'generic' })
    expect(ours.info.engine).toBe('packed')
    expect(leastCosine(await ours.embed(texts), await theirs.embed(texts))).toBeGreaterThan(least)
  })

  it('gives a text the same bits in any company, and none without its scale', async () => {
    const adapter = adapterFor(mini, 'company.gguf')
    await using adapted = await Embedder.load(mini, { adapter })
    await using one = await Embedder.load(mini, { adapter, threads: 1, budget: 64 })
    await using none = await Embedder.load(mini, { adapter: { path: adapter, scale: 0 } })
    await using plain = await Embedder.load(mini)
    const vectors = await adapted.embed(texts)
    expect(await one.embed(texts)).toEqual(vectors)
    for (const [i, text] of texts.entries())
      expect((await adapted.embed([text]))[0]).toEqual(vectors[i])
    expect(await none.embed(texts)).toEqual(await plain.embed(texts))
  })

  // Mean 1 - cosine to the float model with the change in its weights, measured: 1.91e-5; without the adapter 1.87e-5.
  it('is as near to the float model as its base is', async () => {
    const shape = { rank: 16, alpha: 32, size: 0.05 }
    const [whole, change] = [at('near-whole.gguf'), { path: adapterFor(mini, 'near.gguf', shape) }]
    writeMerged(at('near-base.gguf'), new GgufReader(mini), 'F32')
    writeMerged(whole, new GgufReader(mini), 'F32', [{ shape }])
    const off = async (ours: string, theirs: string, adapter: AdapterOptions[]) => {
      await using one = await Embedder.load(ours, { adapter })
      await using other = await Embedder.load(theirs)
      const [a, b] = [await one.embed(texts), await other.embed(texts)]
      return a.reduce((sum, x, i) => sum + 1 - similarity(x, b[i]!), 0) / a.length
    }
    const base = await off(mini, at('near-base.gguf'), [])
    expect(await off(mini, whole, [change])).toBeLessThan(1.2 * base)
  })

  it('does not depend on how its size is shared between A and B', async () => {
    const shape = { rank: 16, alpha: 32 }
    await using even = await Embedder.load(mini, { adapter: adapterFor(mini, 'even.gguf', shape) })
    const vectors = await even.embed(texts)
    // Far beyond what the scales of 8-bit blocks hold.
    for (const shift of [-30, 30]) {
      const adapter = adapterFor(mini, `odd${shift}.gguf`, { ...shape, shift })
      await using odd = await Embedder.load(mini, { adapter })
      expect(await odd.embed(texts)).toEqual(vectors)
    }
  })

  it('changes a reranker', async () => {
    const base = fixture('rerank')
    const adapter = adapterFor(base, 'rerank.gguf', { size: 0.3 })
    const pairs = texts.map((text): [string, string] => ['a query', text])
    const scores = async (engine: 'packed' | 'generic', given: object) => {
      await using reranker = await Reranker.load(base, { engine, ...given })
      return reranker.score(pairs, { output: 'logit' })
    }
    const ours = await scores('packed', { adapter })
    const theirs = await scores('generic', { adapter })
    const plain = await scores('packed', {})
    for (const [i, score] of ours.entries()) expect(Math.abs(score - theirs[i]!)).toBeLessThan(2e-5)
    expect(Math.max(...ours.map((score, i) => Math.abs(score - plain[i]!)))).toBeGreaterThan(1e-3)
    const query = { path: adapter, side: 'query' as const }
    await expect(Reranker.load(base, { adapter: query })).rejects.toMatchObject({
      code: 'ERR_MODEL_MISMATCH',
      problem: expect.stringMatching(/for queries alone/),
    })
  })
})

describe.each(engines)('side query (%s)', (engine) => {
  it('changes queries and leaves documents their bits, in one model', async () => {
    const base = engine === 'packed' ? mini : fixture('embed')
    const adapter = adapterFor(base, `side-${engine}.gguf`)
    await using plain = await Embedder.load(base, { engine })
    await using both = await Embedder.load(base, { engine, adapter })
    await using query = await Embedder.load(base, {
      engine,
      adapter: { path: adapter, side: 'query' },
    })
    // All at once: packs of the two sides must not mix, prefixes neither.
    const calls = await Promise.all(
      Array.from({ length: engine === 'packed' ? 6 : 2 }, async (_, i) => ({
        queries: await query.embedQueries(texts),
        documents: await query.embedDocuments(texts),
        bulk: await query.embed(texts, {
          role: 'query',
          instruction: '',
          priority: i % 2 ? 'bulk' : 'interactive',
        }),
        instructed: await query.embed(texts, { instruction: 'Find' }),
        asDocuments: await query.embed(texts, { instruction: 'Find', role: 'document' }),
        plain: await query.embed(texts),
      })),
    )
    const documents = await plain.embedDocuments(texts)
    const expected = {
      queries: await both.embedQueries(texts),
      documents,
      bulk: await both.embed(texts, { instruction: '' }),
      instructed: await both.embed(texts, { instruction: 'Find' }),
      asDocuments: await plain.embed(texts, { instruction: 'Find' }),
      plain: documents,
    }
    for (const call of calls) {
      for (const [name, vectors] of Object.entries(expected)) {
        const came = call[name as keyof typeof call]
        for (const [i, vector] of vectors.entries()) expectSame(came[i]!, vector, engine)
      }
    }
    expect(
      leastCosine(await both.embedQueries(texts), await plain.embedQueries(texts)),
    ).toBeLessThan(0.9999)
  })
})

describe('the fingerprint', () => {
  it('is of what changes documents; queries have one of their own', async () => {
    const adapter = adapterFor(mini, 'finger.gguf')
    const other = adapterFor(mini, 'finger-2.gguf', { seed: 2 })
    const of = async (given?: string | AdapterOptions) => {
      await using model = await Embedder.load(mini, { adapter: given ?? [] })
      return model.info
    }
    const plain = await of()
    expect(plain).toMatchObject({ queryFingerprint: plain.fingerprint, adapters: [] })
    const query = await of({ path: adapter, side: 'query' })
    expect(query.fingerprint).toBe(plain.fingerprint)
    expect(query.queryFingerprint).not.toBe(plain.fingerprint)
    expect(query.adapters).toMatchObject([{ path: adapter, side: 'query', rank: 4, scale: 1 }])
    const both = await of(adapter)
    expect(both.fingerprint).toBe(query.queryFingerprint)
    const all = [both, await of(other), await of({ path: adapter, scale: 0.5 }), plain]
    expect(new Set(all.map(({ fingerprint }) => fingerprint)).size).toBe(4)
  })

  it("is checked where the adapter's file names its base, which says its side too", async () => {
    await using plain = await Embedder.load(mini)
    const made = (fingerprint: string, name: string) =>
      adapterFor(mini, name, {
        metadata: {
          'qwen3_embed.adapter.base_fingerprint': string(fingerprint),
          'qwen3_embed.adapter.side': string('query'),
        },
      })
    const adapter = made(plain.info.fingerprint, 'own.gguf')
    await using own = await Embedder.load(mini, { adapter })
    expect(own.info.adapters).toMatchObject([{ side: 'query' }])
    const path = made('0'.repeat(32), 'foreign.gguf')
    await expect(Embedder.load(mini, { adapter: path })).rejects.toMatchObject({
      code: 'ERR_MODEL_MISMATCH',
      facts: { expected: '0'.repeat(32), received: plain.info.fingerprint },
      remedy: expect.stringContaining('anyBase'),
    })
    await using forced = await Embedder.load(mini, { adapter: { path, anyBase: true } })
    expect(forced.info.adapters).toHaveLength(1)
  })
})

describe.each(engines)('refused by name (%s)', (engine) => {
  const base = fixture('embed')
  const reader = new GgufReader(base)
  const [change] = changesFor(reader, { rank: 4 })
  const half = (name: string, shape: number[], values?: Float32Array) => ({
    name,
    type: 'F32' as const,
    shape,
    chunks: () => [quantize('F32', values ?? new Float32Array(shape.reduce((a, b) => a * b)))],
  })
  const lora = {
    'general.architecture': string('qwen3'),
    'general.type': string('adapter'),
    'adapter.type': string('lora'),
    'adapter.lora.alpha': f32(4),
  }
  const { name, nIn, nOut } = change!
  const [a, b] = [half(`${name}.lora_a`, [nIn, 4]), half(`${name}.lora_b`, [4, nOut])]
  const cases: [string, object, ReturnType<typeof half>[], string, RegExp][] = [
    [
      'a model',
      { 'general.type': string('model') },
      [a, b],
      'MISMATCH',
      /Expected an adapter but .* of type "model"/,
    ],
    [
      'another kind',
      { 'adapter.type': string('control_vector') },
      [a, b],
      'UNSUPPORTED',
      /"control_vector"/,
    ],
    [
      'another architecture',
      { 'general.architecture': string('llama') },
      [a, b],
      'MISMATCH',
      /architecture qwen3 but .*"llama"/,
    ],
    ['half a pair', {}, [a], 'INVALID', /lora_a" without its \.lora_b/],
    ['no tensors', {}, [], 'INVALID', /changes nothing/],
    [
      'an unknown suffix',
      {},
      [a, b, half('blk.0.attn_q.weight.lora_c', [32, 1])],
      'INVALID',
      /lora_c/,
    ],
    [
      'a norm',
      {},
      [a, b, half('blk.0.attn_norm.weight', [64])],
      'UNSUPPORTED',
      /norm "blk\.0\.attn_norm/,
    ],
    [
      'a tensor that the base lacks',
      {},
      [half('blk.9.attn_q.weight.lora_a', [nIn, 4]), half('blk.9.attn_q.weight.lora_b', [4, nOut])],
      'MISMATCH',
      /"blk\.9\.attn_q\.weight", which the model does not have/,
    ],
    [
      'token embeddings',
      {},
      [half('token_embd.weight.lora_a', [64, 4]), half('token_embd.weight.lora_b', [4, 64])],
      'UNSUPPORTED',
      /token_embd\.weight", which is outside the layers/,
    ],
    [
      'another shape',
      {},
      [half(`${name}.lora_a`, [nIn, 4]), half(`${name}.lora_b`, [5, nOut])],
      'MISMATCH',
      /Expected the halves/,
    ],
    ['an alpha of another type', { 'adapter.lora.alpha': string('4') }, [a, b], 'INVALID', /alpha/],
    [
      'a value that is no number',
      {},
      [half(`${name}.lora_a`, [nIn, 4], new Float32Array(nIn * 4).fill(Number.NaN)), b],
      'INVALID',
      /not finite/,
    ],
  ]
  it.each(cases)('%s', async (what, metadata, tensors, code, sentence) => {
    const path = at(`refused-${engine}-${what.replaceAll(' ', '-')}.gguf`)
    writeGguf(path, { metadata: Object.entries({ ...lora, ...metadata }), tensors })
    await expect(Embedder.load(base, { engine, adapter: path })).rejects.toMatchObject({
      code: `ERR_MODEL_${code}`,
      facts: { adapter: path },
      message: expect.stringMatching(sentence),
    })
  })

  it('a file that is not there, and options that are none', async () => {
    await expect(
      Embedder.load(base, { engine, adapter: at('nowhere.gguf') }),
    ).rejects.toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
    })
    const load = (adapter: unknown) => Embedder.load(base, { engine, adapter } as object)
    await expect(load(5)).rejects.toThrow(/Expected an object for the option adapter/)
    await expect(load({ scale: 1 })).rejects.toThrow(/adapter\.path/)
    await expect(load({ path: 'x', sides: 'query' })).rejects.toThrow(/Did you mean side/)
    await expect(load([{ path: 'x', scale: Number.NaN }])).rejects.toThrow(/finite number/)
  })
})

const quantised: FixtureName[] = ['embed-f16', 'embed-bf16', 'embed-q4_0', 'embed-q4_k_m']
it.each(quantised)('an adapter goes with a base of any type (%s)', async (name) => {
  const base = fixture(name)
  const adapter = adapterFor(base, `${name}.gguf`)
  await using ours = await Embedder.load(base, { adapter })
  await using theirs = await Embedder.load(base, { adapter, engine: 'generic' })
  expect(leastCosine(await ours.embed(texts), await theirs.embed(texts))).toBeGreaterThan(0.997)
})
