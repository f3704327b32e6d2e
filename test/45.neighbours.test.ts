import { Embedder } from 'qwen3-embed'
import { describe, expect, it } from 'vitest'
import { expectSame } from './fixtures/vectors.ts'
import { fixture } from './fixtures/models.ts'

// The letter `~` computes to no number in this model.
const clean = [
  'the animal that everybody likes is the trees',
  'the animal that everybody likes is the horse',
  'the animal that everybody likes',
  'quite another text',
]
const poisoned = ['the animal that everybody likes is the~', 'the animal~ everybody likes is']

const kernels = [
  'auto',
  'portable',
  'avx2',
  'avx2-vnni',
  'avx512',
  'avx512-vnni',
  'avx512-bf16',
  'neon-dotprod',
  'neon-i8mm',
  'ggml',
]

async function load(options: object): Promise<Embedder | undefined> {
  try {
    return await Embedder.load(fixture('embed-poisoned'), { threads: 2, ...options })
  } catch (error) {
    expect(error).toMatchObject({ code: 'ERR_MODEL_UNSUPPORTED' })
    return undefined
  }
}

describe('a text that is no number', () => {
  it.each([...kernels.map((name) => ({ engine: 'packed', kernels: name })), { engine: 'generic' }])(
    'fails alone beside texts that share its beginning: %o',
    async (options) => {
      await using embedder = await load(options)
      if (!embedder) return
      const alone = new Map<string, Float32Array>()
      for (const text of clean) alone.set(text, (await embedder.embed([text]))[0]!)
      for (const order of [
        [...poisoned, ...clean],
        [...clean, ...poisoned],
        clean.flatMap((text, i) => [poisoned[i % 2]!, text]),
      ]) {
        const items = await embedder.embedEach(order)
        for (const [i, { vector, error }] of items.entries()) {
          const text = order[i]!
          if (poisoned.includes(text)) expect(error).toMatchObject({ code: 'ERR_NON_FINITE' })
          else expectSame(vector!, alone.get(text)!, options.engine)
        }
      }
      // And nothing of it is left for those who come later.
      for (const text of clean)
        expectSame((await embedder.embed([text]))[0]!, alone.get(text)!, options.engine)
    },
  )
})
