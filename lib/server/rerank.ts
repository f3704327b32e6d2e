// Cohere's /v1/rerank and /v2/rerank, and Jina's rerank, which shares the first of these paths.
import type { RankedDocument } from '../index.ts'
import type { Call, Route } from './call.ts'
import { readPriority } from './embedding.ts'
import { type Answer, json } from './exchange.ts'
import { type Fields, wrong } from './fields.ts'
import { type RankWork, rank } from './ranking.ts'
import { teiRerank } from './tei-rerank.ts'
import { checkBatch } from './work.ts'

/** What Cohere documents as the length at which documents are cut. */
const documentTokens = 4096

async function rerankV2(call: Call, fields: Fields): Promise<Answer> {
  const topN = fields.integer('top_n', 1, Number.MAX_SAFE_INTEGER)
  const { ranked, count } = await run(call, fields, {
    truncate: 'end',
    documentTokens: fields.integer('max_tokens_per_doc', 1, 1 << 30) ?? documentTokens,
  })
  return json({
    id: call.tally.id,
    results: ranked.slice(0, topN).map(result),
    meta: meta('2', count),
  })
}

/** Cohere's first version and Jina's ask alike; the answer has what either promises. */
async function rerankV1(call: Call, fields: Fields): Promise<Answer> {
  if (fields.has('texts')) return teiRerank(call, fields)
  if (call.dialect === 'tei-or-jina') call.dialect = 'jina'
  const asksForChunks = fields.has('max_tokens_per_doc') || fields.has('max_chunks_per_doc')
  const truncates = fields.boolean('truncation') ?? (asksForChunks || call.settings.autoTruncate)
  const { ranked, documents, name, count } = await run(call, fields, {
    truncate: truncates ? 'end' : 'error',
    documentTokens: fields.integer('max_tokens_per_doc', 1, 1 << 30),
  })
  // Clones of this API take 0 and null for "all".
  const topN = fields.integer('top_n', 0, Number.MAX_SAFE_INTEGER) || undefined
  const withText = fields.boolean('return_documents') ?? false
  const { id, tokens } = call.tally
  return json({
    id,
    object: 'list',
    model: name,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
    results: ranked.slice(0, topN).map((one) => ({
      ...result(one),
      ...(withText ? { document: asDocument(documents[one.index]) } : {}),
    })),
    meta: meta('1', count),
  })
}

async function run(call: Call, fields: Fields, how: Pick<RankWork, 'truncate' | 'documentTokens'>) {
  const served = call.models.reranker(fields.string('model'))
  const query = fields.requiredString('query')
  const documents = fields.list('documents')
  checkBatch(documents.length, 'documents', call.tally.limits)
  const rankFields = fields.has('rank_fields') ? fields.strings('rank_fields') : ['text']
  const texts = documents.map((document, i) => textOf(document, `documents[${i}]`, rankFields))
  const ranked = await rank(
    served,
    {
      ...how,
      query,
      documents: texts,
      param: 'documents',
      instruction: fields.string('instruction') ?? fields.string('instruct'),
      priority: readPriority(fields),
    },
    call.tally,
  )
  return { ranked, documents, name: served.name, count: documents.length }
}

/** A string, or an object of which the named fields count. */
function textOf(document: unknown, name: string, rankFields: readonly string[]): string {
  if (typeof document === 'string') return document
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    return wrong('a string or an object', name, document)
  }
  const values = rankFields.map((field) => {
    const value = Object.hasOwn(document, field) && (document as Record<string, unknown>)[field]
    return typeof value === 'string' ? value : wrong('a string', `${name}.${field}`, value)
  })
  return values.length === 1
    ? values[0]!
    : values.map((value, i) => `${rankFields[i]}: ${value}`).join('\n')
}

function result({ index, score }: RankedDocument) {
  return { index, relevance_score: score }
}

function asDocument(document: unknown) {
  return typeof document === 'string' ? { text: document } : document
}

// Cohere counts a search for each hundred documents.
function meta(version: string, count: number) {
  return {
    api_version: { version, is_experimental: false },
    billed_units: { search_units: Math.ceil(count / 100) },
  }
}

export const rerankRoutes: readonly Route[] = [
  {
    method: 'POST',
    paths: ['/v2/rerank'],
    dialect: 'cohere',
    summary: 'Documents by relevance to a query, as Cohere does it',
    run: rerankV2,
  },
  {
    method: 'POST',
    paths: ['/v1/rerank', '/v1/reranking'],
    dialect: 'cohere-or-jina',
    summary: 'Documents by relevance to a query, as Cohere and Jina do it',
    run: rerankV1,
  },
  {
    method: 'POST',
    paths: ['/rerank', '/reranking'],
    dialect: 'tei-or-jina',
    summary: 'As TEI does it where the body has `texts`, else as Jina does',
    run: rerankV1,
  },
]
