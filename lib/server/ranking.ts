// A query and documents to scores, for every dialect.
import type { RankedDocument, RankOptions, Truncate } from '../index.ts'
import type { ServedReranker } from './served.ts'
import type { Tally } from './visit.ts'
import { checkTokens, failureOf, type Priority, priorityOf, watchFirstPass } from './work.ts'

export interface RankWork {
  query: string
  documents: string[]
  /** The field that held the documents. */
  param: string
  instruction: string | undefined
  truncate: Truncate
  output?: 'probability' | 'logit'
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
  tally: Tally,
): Promise<RankedDocument[]> {
  const { model } = served
  const { query, instruction = '', param } = work
  const { signal, limits } = tally
  tally.model = served.name
  tally.texts = work.documents.length
  tally.characters = work.documents.reduce((sum, { length }) => sum + length, query.length)
  const asked = work.instruction === undefined ? {} : { instruction }
  const count = async (document: string) => (await model.tokenize(query, document, asked)).length
  try {
    const documents = await shorten(work, count, tally)
    const around = Buffer.byteLength(query) + Buffer.byteLength(instruction) + promptTokens
    await checkTokens(
      documents,
      count,
      { ofText: work.truncate === 'end' ? null : model.maxTokens, ofRequest: limits.requestTokens },
      { around, param, signal },
    )
    const options: RankOptions = {
      ...asked,
      truncate: work.truncate,
      output: work.output ?? 'probability',
      priority: work.priority ?? priorityOf(documents, served, limits),
      signal,
      onProgress: watchFirstPass(tally),
    }
    const pairs = documents.map((document): [string, string] => [query, document])
    const items = await model.scoreEach(pairs, options)
    served.finished += items.length
    const ranked = items.map((item, index) => {
      if (item.error) throw item.error
      tally.tokens += item.tokens - item.cut
      tally.cut += item.cut
      return { index, score: item.score! }
    })
    return ranked.sort((a, b) => b.score - a.score)
  } catch (error) {
    throw failureOf(error, served, tally, param)
  }
}

/** Documents of at most `documentTokens`: the longest beginning that has no more, found by halving. */
async function shorten(
  { documents, documentTokens }: RankWork,
  count: (document: string) => Promise<number>,
  tally: Tally,
): Promise<string[]> {
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
      tally.cut += tokens - most
      const splitsPair = /[\uD800-\uDBFF]/.test(document[fits - 1] ?? '')
      return document.slice(0, splitsPair ? fits - 1 : fits)
    }),
  )
}
