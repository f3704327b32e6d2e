import { Embedder } from 'qwen3-embed'
import { describe, expect, it } from 'vitest'
import { native } from '../lib/native.ts'

const texts = Array.from({ length: 300 }, (_, i) => `text number ${i} of some`)

describe('a callback that throws', () => {
  it.each([
    ['an error', new Error('mine')],
    ['a string', 'mine'],
  ])('while a model loads: the load rejects with %s', async (_, thrown) => {
    const load = Embedder.load('mini', {
      onProgress: () => {
        throw thrown
      },
    })
    await expect(load).rejects.toBe(thrown)
  })

  it.each([
    ['an error', new Error('mine')],
    ['a string', 'mine'],
  ])('while texts run: the call rejects with %s, and the model lives', async (_, thrown) => {
    await using embedder = await Embedder.load('mini')
    const call = embedder.embed(texts, {
      onProgress: () => {
        throw thrown
      },
    })
    await expect(call).rejects.toBe(thrown)
    await expect(embedder.embed(['another'])).resolves.toHaveLength(1)
  })
})

describe('objects of the addon', () => {
  it('take nothing for a model that is none', () => {
    const { Job } = native().binding
    for (const other of [{}, null, 1, new Map()]) {
      expect(() => new Job(other as never, {} as never)).toThrow(TypeError)
    }
  })
})
