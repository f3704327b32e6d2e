import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Embedder, inspect, Qwen3Error, Reranker } from 'qwen3-embed'
import { describe, expect, it } from 'vitest'
import { brokenModels } from './fixtures/broken.ts'
import { brokenFixture, fixture } from './fixtures/models.ts'

describe('loading', () => {
  it('tells what it does, from 0 to 1', async () => {
    const fractions: number[] = []
    await using embedder = await Embedder.load(fixture('embed'), {
      onProgress: ({ phase, unit, done, total }) => {
        expect({ phase, unit, total }).toEqual({ phase: 'load', unit: 'steps', total: 100 })
        fractions.push(done / total)
      },
    })
    expect(fractions.at(-1)).toBe(1)
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b))
    expect(embedder.info).toMatchObject({ architecture: 'qwen3', pooling: 'last', bundled: false })
    expect(embedder.info.fingerprint).toMatch(/^[0-9a-f]{16,}$/)
  })

  it('says how many threads compute, and why', async () => {
    await using embedder = await Embedder.load('mini')
    expect(embedder.info.threads).toBeGreaterThan(0)
    expect(embedder.info.threadsReason).toMatch(/physical core|quota/)
    await using one = await Embedder.load('mini', { threads: 1 })
    expect(one.info).toMatchObject({ threads: 1, threadsReason: 'as asked for' })
  })

  it('keeps maxTokens within what the file was trained for', async () => {
    await using embedder = await Embedder.load(fixture('embed'), { maxTokens: 64 })
    expect(embedder.maxTokens).toBe(64)
  })

  it('takes files without add_eos_token and pooling_type, and says so', async () => {
    await using old = await Embedder.load(fixture('embed-old'))
    await using good = await Embedder.load(fixture('embed'))
    expect(await old.tokenize('a text')).toEqual(await good.tokenize('a text'))
    expect(await old.embedQuery('a text')).toEqual(await good.embedQuery('a text'))
    const { findings } = await inspect(fixture('embed-old'))
    expect(findings.map(({ what }) => what).join()).toMatch(
      /add_eos_token.*pooling_type|pooling_type.*add_eos_token/,
    )
    expect(findings.some(({ fatal }) => fatal)).toBe(false)
  })

  it('inspects types by what tensors do, and templates', async () => {
    const info = await inspect(fixture('rerank-q4_k_m'))
    expect(info.tensorTypes).toMatchObject({ norms: ['f32'], 'token embeddings': ['q6_K'] })
    expect(info.tensorTypes['feed-forward']).toEqual(expect.arrayContaining(['q4_K', 'q6_K']))
    expect(info.chatTemplates).toEqual(['rerank'])
  })

  it('reads a model split over three files', async () => {
    await using whole = await Embedder.load(fixture('embed'))
    await using split = await Embedder.load(fixture('embed-split'))
    expect(await split.embedQuery('a text')).toEqual(await whole.embedQuery('a text'))
  })

  it('refuses a directory', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'qwen3-embed-'))
    await expect(Embedder.load(folder)).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_MODEL_/),
    })
  })

  it('refuses what is no name', async () => {
    await expect(Embedder.load(7 as never)).rejects.toThrow(TypeError)
    await expect(Embedder.load('mini', { thread: 1 } as never)).rejects.toThrow(
      /Unknown option "thread"/,
    )
    await expect(Embedder.load('mini', { threads: 0 })).rejects.toThrow(RangeError)
  })

  it('refuses weights for a GPU where there is none, and says what it multiplies with', async () => {
    for (const gpuWeights of ['bf16', 'f16'] as const) {
      await expect(Embedder.load('mini', { gpuWeights })).rejects.toMatchObject({
        name: 'TypeError',
        option: 'gpuWeights',
      })
    }
    await expect(Embedder.load('mini', { gpuWeights: 'f8' as never })).rejects.toThrow(TypeError)
    await using embedder = await Embedder.load('mini', { gpuWeights: 'file' })
    expect(embedder.info.gpuWeights).toBe('file')
  })

  it('names the package a GPU needs', async () => {
    await expect(Embedder.load('mini', { gpu: 'vulkan' })).rejects.toMatchObject({
      code: 'ERR_GPU_UNAVAILABLE',
    })
  })
})

describe('a file that must be refused', () => {
  it.each(brokenModels.map(({ name, code, as }) => [name, code, as] as const))(
    '%s: %s',
    async (name, code, as) => {
      const path = brokenFixture(name)
      const loading = (as === 'embedder' ? Embedder : Reranker).load(path)
      const error = await loading.then(
        () => expect.unreachable('it loaded'),
        (error: Qwen3Error) => error,
      )
      expect(error).toBeInstanceOf(Qwen3Error)
      expect(error.code).toBe(code)
      expect(error.message.length).toBeGreaterThan(20)
    },
  )

  it.each(['packed', 'generic'] as const)(
    'is refused by the %s engine alone too',
    async (engine) => {
      const path = brokenFixture('yes out of reach of the merges as a reranker')
      await expect(Reranker.load(path, { engine })).rejects.toMatchObject({
        code: 'ERR_MODEL_MISMATCH',
        message: expect.stringContaining('yes and no'),
      })
    },
  )

  it('leaves the process able to load a good one', async () => {
    await using embedder = await Embedder.load(fixture('embed'))
    expect(await embedder.embedQuery('alive')).toHaveLength(embedder.dimensions)
  })
})
