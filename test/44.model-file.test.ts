import {
  copyFileSync,
  openSync,
  closeSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  mkdtempSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Embedder, Reranker } from 'qwen3-embed'
import { afterAll, describe, expect, it } from 'vitest'
import { expectSame } from './fixtures/vectors.ts'
import { fixture } from './fixtures/models.ts'

const folder = mkdtempSync(join(tmpdir(), 'qwen3-embed-file-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let n = 0
function copyOf(path: string): string {
  const copy = join(folder, `model-${n++}.gguf`)
  copyFileSync(path, copy)
  return copy
}

const texts = Array.from({ length: 60 }, (_, i) => `passage ${i} of several words, number ${i * 7}`)

const damages: [string, (path: string) => void][] = [
  ['truncated', (path) => truncateSync(path, 4096)],
  ['truncated to nothing', (path) => truncateSync(path, 0)],
  [
    'overwritten in place by another model',
    (path) => {
      const other = readFileSync(fixture('embed-other'))
      const file = openSync(path, 'r+')
      writeFileSync(file, other)
      closeSync(file)
    },
  ],
  ['unlinked', (path) => unlinkSync(path)],
  [
    'replaced by rename',
    (path) => {
      const other = copyOf(fixture('embed-other'))
      renameSync(other, path)
    },
  ],
]

describe.each(['packed', 'generic'] as const)('the file of a model of the %s engine', (engine) => {
  it.each(damages)(
    '%s while it is loaded and busy: the same bits, or ERR_MODEL_CHANGED',
    async (_, damage) => {
      const path = copyOf(fixture('embed'))
      await using embedder = await Embedder.load(path, { engine, threads: 2 })
      const expected = await embedder.embedDocuments(texts)
      const busy = Array.from({ length: 4 }, () => embedder.embedDocuments(texts))
      // All are awaited at once, so that none rejects unheard.
      const ends = Promise.allSettled(busy)
      await new Promise((resolve) => setTimeout(resolve, 2))
      damage(path)
      const later = await Promise.allSettled([
        embedder.embedDocuments(texts),
        embedder.embedQuery('a query'),
        embedder.countTokens('a text'),
      ])
      for (const end of [...(await ends), later[0]]) {
        if (end.status === 'fulfilled') {
          for (const [i, vector] of end.value.entries()) expectSame(vector, expected[i]!, engine)
        } else expect(end.reason).toMatchObject({ code: 'ERR_MODEL_CHANGED' })
      }
      if (later[1].status === 'rejected')
        expect(later[1].reason).toMatchObject({ code: 'ERR_MODEL_CHANGED' })
      expect(later[2].status).toBe('fulfilled')
    },
  )
})

describe('a file that was unlinked or replaced', () => {
  it('is read on as it was', async () => {
    const path = copyOf(fixture('embed'))
    await using embedder = await Embedder.load(path)
    const expected = await embedder.embedDocuments(texts)
    renameSync(copyOf(fixture('embed-other')), path)
    expect(await embedder.embedDocuments(texts)).toEqual(expected)
    // And who loads that path now gets the other one, not what another load has packed.
    await using other = await Embedder.load(path)
    expect(await other.embedDocuments(texts)).not.toEqual(expected)
    unlinkSync(path)
    expect(await embedder.embedDocuments(texts)).toEqual(expected)
  })
})

const pairs = { query: 'a query', documents: ['one', 'two'] }

describe('a reranker', () => {
  it('says so too', async () => {
    const path = copyOf(fixture('rerank'))
    await using reranker = await Reranker.load(path, { engine: 'packed' })
    truncateSync(path, 4096)
    await expect(reranker.rank(pairs.query, pairs.documents)).rejects.toMatchObject({
      code: 'ERR_MODEL_CHANGED',
    })
  })
})
