import { Reranker } from 'qwen3-embed'
import { describe, expect, it } from 'vitest'
import { fixture } from './fixtures/models.ts'

const documents = Array.from(
  { length: 20 },
  (_, i) => `document ${i} says ${'this and that '.repeat(i % 5)}`,
)

describe.each(['rerank', 'rerank-tied', 'rerank-untied'] as const)('%s', (name) => {
  it('ranks best first, and scores in input order', async () => {
    await using reranker = await Reranker.load(fixture(name))
    const ranked = await reranker.rank('a query', documents)
    const scores = await reranker.score(documents.map((document) => ['a query', document]))
    expect(ranked.map(({ score }) => score)).toEqual([...scores].sort((a, b) => b - a))
    for (const { index, score } of ranked) expect(scores[index]).toBe(score)
    expect(await reranker.rank('a query', documents, { topN: 3 })).toEqual(ranked.slice(0, 3))
    expect(await reranker.rank('a query', [])).toEqual([])
  })

  it('gives probabilities that are the sigmoid of its logits', async () => {
    await using reranker = await Reranker.load(fixture(name))
    const pairs = documents.map((document): [string, string] => ['q', document])
    const logits = await reranker.score(pairs, { output: 'logit' })
    const probabilities = await reranker.score(pairs)
    for (const [i, logit] of logits.entries()) {
      expect(probabilities[i]).toBeCloseTo(1 / (1 + Math.exp(-logit)), 5)
    }
  })
})

describe('pairs', () => {
  it('cut only their document', async () => {
    await using reranker = await Reranker.load(fixture('rerank'), { maxTokens: 120 })
    const [item] = await reranker.scoreEach([['a query', 'word '.repeat(300)]], { truncate: 'end' })
    expect(item!.tokens - item!.cut).toBe(120)
    const whole = await reranker.tokenize('a query', 'word '.repeat(300))
    const fitting = await reranker.tokenize('a query', '')
    // Prefix, query and suffix are those of a prompt that fits.
    expect(whole.slice(-9)).toEqual(fitting.slice(-9))
    expect(whole.slice(0, 60)).toEqual(fitting.slice(0, 60))
    await expect(reranker.rank('a query', ['ok', 'word '.repeat(300)])).rejects.toMatchObject({
      code: 'ERR_TEXT_TOO_LONG',
      facts: { index: 1, limit: 120 },
    })
  })

  it('whose query alone is too long cannot be cut to fit', async () => {
    await using reranker = await Reranker.load(fixture('rerank'), { maxTokens: 120 })
    const [item] = await reranker.scoreEach([['word '.repeat(300), 'document']], {
      truncate: 'end',
    })
    expect(item!.error).toMatchObject({ code: 'ERR_TEXT_TOO_LONG' })
    expect(item!.error!.message).toContain('Shorten the query')
  })

  it('take an instruction', async () => {
    await using reranker = await Reranker.load(fixture('rerank'))
    const [a] = await reranker.score([['q', 'd']])
    const [b] = await reranker.score([['q', 'd']], { instruction: 'Find the opposite' })
    expect(a).not.toBe(b)
  })

  it('are checked', async () => {
    await using reranker = await Reranker.load(fixture('rerank'))
    await expect(reranker.score([['only one']] as never)).rejects.toThrow(TypeError)
    await expect(reranker.rank('q', [1] as never)).rejects.toThrow('documents[0]')
    await expect(reranker.rank('q', ['d'], { topK: 1 } as never)).rejects.toThrow(
      'Unknown option "topK"',
    )
    await expect(reranker.rank('q', ['d'], { topN: 0 })).rejects.toThrow(RangeError)
  })
})
