import { Embedder } from 'qwen3-embed'
import { describe, expect, it } from 'vitest'
import { fixture } from './fixtures/models.ts'

const words = (n: number, seed: number) =>
  Array.from({ length: n }, (_, i) => `w${(i * seed) % 977}`).join(' ')

describe('an interactive call beside a bulk one', () => {
  it('goes between the steps of a pass that runs already', async () => {
    await using embedder = await Embedder.load(fixture('embed-long'), { threads: 1 })
    const text = words(4000, 7)
    const expected = await embedder.embedQuery('a query')
    const settled: string[] = []
    const bulk = embedder
      .embedDocuments([text], { truncate: 'end' })
      .then(() => settled.push('bulk'))
    // The pass holds one text, so nothing but its end or a pause lets others in.
    while (embedder.stats.waiting === 0) await new Promise(setImmediate)
    await new Promise((resolve) => setTimeout(resolve, 30))
    for (let i = 0; i < 3; i++) {
      const query = await embedder.embedQuery('a query')
      expect(query).toEqual(expected)
      settled.push('query')
    }
    await bulk
    expect(settled).toEqual(['query', 'query', 'query', 'bulk'])
  })

  it('waits its turn where it is bulk too', async () => {
    await using embedder = await Embedder.load(fixture('embed'), { threads: 1 })
    const settled: string[] = []
    await Promise.all([
      embedder
        .embedDocuments([words(2000, 7)], { truncate: 'end' })
        .then(() => settled.push('first')),
      embedder.embedDocuments(['short']).then(() => settled.push('second')),
    ])
    expect(settled).toEqual(['first', 'second'])
  })

  it('does not starve it', async () => {
    await using embedder = await Embedder.load(fixture('embed'), { threads: 1 })
    let isRunning = true
    const bulk = embedder.embedDocuments(Array.from({ length: 20 }, (_, i) => words(200, i + 3)))
    const done = bulk.finally(() => {
      isRunning = false
    })
    const client = async () => {
      while (isRunning) await embedder.embedQuery(words(50, 11))
    }
    await Promise.all([done, ...Array.from({ length: 16 }, client)])
    expect(await bulk).toHaveLength(20)
  })
})
