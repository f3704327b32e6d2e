// A query and documents to scores, for every dialect.
import type { RankedDocument, Truncate } from '../index.ts'
import {
  checkBatch,
  checkTokens,
  failureOf,
  type Priority,
  priorityOf,
  watchFirstPass,
} from './admission.ts'
import type { Context, Usage } from './context.ts'
import type { ServedReranker } from './models.ts'

export interface RankWork {
  query: string
  documents: readonly string[]
  /** The field that held the documents. */
  param: string
  instruction?: string | undefined
  truncate: Truncate
  output?: 'probability' | 'logit' | undefined
  /** Longer documents are cut to so many tokens. */
  documentTokens?: number | undefined
  priority?: Priority | undefined
}

/** Upper bound of the tokens of the prompt that stands around a pair. */
const promptTokens = 128

/** Best first; equal scores keep their order. */
export async function rank(
  served: ServedReranker,
  work: RankWork,
  context: Context,
): Promise<RankedDocument[]> {
  const { model } = served
  const { query, instruction, param } = work
  const { signal, limits, usage } = context
  checkBatch(work.documents.length, param, limits)
  usage.model = served.name
  usage.texts = work.documents.length
  usage.characters = work.documents.reduce((sum, { length }) => sum + length, query.length)
  const count = async (document: string) =>
    (await model.tokenize(query, document, { instruction })).length
  const countAll = (some: readonly string[]) => Promise.all(some.map(count))
  try {
    const documents = await shorten(work, count, usage)
    const around = Buffer.byteLength(query) + Buffer.byteLength(instruction ?? '') + promptTokens
    await checkTokens(
      documents,
      countAll,
      { ofText: work.truncate === 'end' ? null : model.maxTokens, ofRequest: limits.requestTokens },
      { around, param, signal },
    )
    const pairs = documents.map((document) => [query, document] as const)
    const items = await model.scoreEach(pairs, {
      instruction,
      truncate: work.truncate,
      output: work.output,
      priority: work.priority ?? priorityOf(documents, served, limits),
      signal,
      onProgress: watchFirstPass(usage),
    })
    served.finished += items.length
    const ranked = items.map((item, index) => {
      if (item.error) throw item.error
      usage.tokens += item.tokens - item.cut
      usage.cut += item.cut
      return { index, score: item.score }
    })
    return ranked.sort((a, b) => b.score - a.score)
  } catch (error) {
    throw failureOf(error, served, context, param)
  }
}

/** Documents of at most `documentTokens`: the longest beginning that has no more, found by halving. */
async function shorten(
  { documents, documentTokens }: RankWork,
  count: (document: string) => Promise<number>,
  usage: Usage,
): Promise<readonly string[]> {
  const most = documentTokens
  if (most === undefined || documents.every((document) => Buffer.byteLength(document) <= most)) {
    return documents
  }
  const around = await count('')
  return Promise.all(
    documents.map(async (document) => {
      if (Buffer.byteLength(document) <= most) return document
      const tokens = (await count(document)) - around
      if (tokens <= most) return document
      let [fits, exceeds] = [0, document.length]
      while (fits + 1 < exceeds) {
        const half = (fits + exceeds) >> 1
        if ((await count(document.slice(0, half))) - around <= most) fits = half
        else exceeds = half
      }
      usage.cut += tokens - most
      const splitsPair = /[\uD800-\uDBFF]/.test(document[fits - 1] ?? '')
      return document.slice(0, splitsPair ? fits - 1 : fits)
    }),
  )
}

/** A score for each pair, in input order. */
export async function scorePairs(
  served: ServedReranker,
  pairs: readonly (readonly [query: string, document: string])[],
  how: Pick<RankWork, 'instruction' | 'truncate' | 'priority' | 'param'>,
  context: Context,
): Promise<number[]> {
  const { model } = served
  const { instruction, truncate, priority, param } = how
  const { signal, limits, usage } = context
  checkBatch(pairs.length, param, limits)
  usage.model = served.name
  usage.texts = pairs.length
  for (const [query, document] of pairs) usage.characters += query.length + document.length
  const documents = pairs.map(([, document]) => document)
  try {
    const items = await model.scoreEach(pairs, {
      instruction,
      truncate,
      priority: priority ?? priorityOf(documents, served, limits),
      signal,
      onProgress: watchFirstPass(usage),
    })
    served.finished += items.length
    return items.map((item) => {
      if (item.error) throw item.error
      usage.tokens += item.tokens - item.cut
      usage.cut += item.cut
      return item.score
    })
  } catch (error) {
    throw failureOf(error, served, context, param)
  }
}
