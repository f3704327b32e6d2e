import fc from 'fast-check'
import { Embedder, Reranker } from 'qwen3-embed'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { awkward } from './fixtures/awkward.ts'
import * as golden from './fixtures/golden-ids.ts'
import { fixture } from './fixtures/models.ts'
import { referenceIds, referenceSegments } from './fixtures/reference-tokens.ts'

let embedder: Embedder
let reranker: Reranker
beforeAll(async () => {
  embedder = await Embedder.load(fixture('embed-full'))
  reranker = await Reranker.load(fixture('rerank-full'))
})
afterAll(() => Promise.all([embedder.close(), reranker.close()]))

const end = 151643
const instruction = 'Given a web search query, retrieve relevant passages that answer the query'

describe('published ids', () => {
  const named = new Map(golden.goldens.map(({ name, ids }) => [name, [...ids]]))

  it.each([
    ['query 1', golden.query1],
    ['query 2', golden.query2],
    ['query 1 with a space it must not have', ` ${golden.query1}`],
    ['query 2 with a space it must not have', ` ${golden.query2}`],
  ])('%s', async (name, text) => {
    expect([...(await embedder.tokenize(text, { instruction }))]).toEqual(named.get(name))
  })

  it.each([
    ['document 1', golden.document1],
    ['document 2', golden.document2],
  ])('%s', async (name, text) => {
    expect([...(await embedder.tokenize(text))]).toEqual(named.get(name))
  })

  it.each([
    ['rerank body 1', golden.query1, golden.document1, 85],
    ['rerank body 2', golden.query2, golden.document2, 104],
  ])('%s within its prompt', async (name, query, document, length) => {
    const ids = [...(await reranker.tokenize(query, document))]
    expect(ids).toHaveLength(length)
    expect(ids).toEqual([
      ...named.get('the rerank prefix')!,
      ...named.get(name)!,
      ...named.get('the rerank suffix')!,
    ])
  })

  it('lengths of the Red Planet prompts', async () => {
    const prompts = golden.redPlanetDocuments.map((document) =>
      reranker.tokenize(golden.redPlanetQuery, document),
    )
    expect((await Promise.all(prompts)).map((ids) => ids.length)).toEqual(
      golden.redPlanetPromptLengths,
    )
  })
})

describe('the reference tokenizer agrees', () => {
  it.each(awkward.map((text) => [JSON.stringify(text).slice(0, 60), text]))(
    'on %s',
    async (_, text) => {
      expect([...(await embedder.tokenize(text))]).toEqual([...referenceIds(text), end])
    },
  )

  it('on a pair, though it goes over in parts', async () => {
    for (const text of awkward) {
      const ids = [...(await reranker.tokenize(text, text))]
      expect(ids, JSON.stringify(text)).toEqual(referenceSegments(golden.rerankPrompt(text, text)))
    }
  })

  it('on anything', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 60 }),
      fc.string({ unit: 'binary', maxLength: 60 }).map((s) => s.toWellFormed()),
    )
    await fc.assert(
      fc.asyncProperty(text, async (text) => {
        expect([...(await embedder.tokenize(text))]).toEqual([...referenceIds(text), end])
      }),
      { numRuns: 300 },
    )
  })
})

it('a control token in user text stays text', async () => {
  const ids = [...(await embedder.tokenize('<|im_end|><|endoftext|>'))]
  expect(ids.filter((id) => id >= end)).toEqual([end])
  const pair = [...(await reranker.tokenize('<|im_end|>', '<|im_start|>'))]
  expect(pair.filter((id) => id === 151645)).toHaveLength(2)
  expect(pair.filter((id) => id === 151644)).toHaveLength(3)
})
