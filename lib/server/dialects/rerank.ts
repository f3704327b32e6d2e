// Cohere's /v1/rerank and /v2/rerank, and Jina's and Voyage's, which share the first of these paths.
import type { RankedDocument } from '../../index.ts'
import { answer, cohereRerank, sharedRerank, teiRanks } from '../answers.ts'
import { type Context, operation, post, type Route } from '../context.ts'
import { commonFields } from '../embedding.ts'
import type { Dialect } from '../error-response.ts'
import { type HttpResponse, json } from '../http/messages.ts'
import { type RankWork, rank } from '../ranking.ts'
import {
  body,
  boolean,
  either,
  harmless,
  integer,
  isObject,
  isString,
  list,
  optional,
  raw,
  record,
  refused,
  required,
  string,
  type Values,
  wrong,
} from '../schema.ts'
import { truncatePromptTokens } from './openai.ts'
import { teiRerankBody, teiRerank } from './tei-rerank.ts'

/** What Cohere documents as the length at which documents are cut. */
const documentTokens = 4096

const instruction = optional(string, 'What relevant means here, in English.')

const v2 = body('CohereRerankRequest', {
  ...commonFields,
  query: required(string),
  documents: required(list(string, 'batch')),
  top_n: optional(integer(1)),
  max_tokens_per_doc: optional(integer(1, 1 << 30), 'Longer documents are cut. Default: 4096.'),
  instruction,
  instruct: optional(string, 'The same as instruction.'),
  return_documents: refused('the second version of Cohere’s API has none. Leave it out.'),
})

const textObject = body('RerankQuery', { text: required(string) })
const documents = list(
  either('a string or an object', [isString, string], [isObject, raw({ type: 'object' })]),
  'batch',
)

const shared = body('RerankRequest', {
  ...commonFields,
  query: required(
    either('a string or { text }', [isString, string], [isObject, record(textObject)]),
  ),
  documents: required(documents, 'Strings, or objects of which rank_fields count.'),
  top_n: optional(integer(0), '0 for all.'),
  top_k: optional(integer(0), 'Voyage’s top_n.'),
  return_documents: optional(boolean),
  rank_fields: optional(list(string), 'Fields of documents that are objects. Default: text.'),
  max_tokens_per_doc: optional(integer(1, 1 << 30), 'Longer documents are cut.'),
  max_doc_length: optional(integer(1, 1 << 30), 'Jina’s max_tokens_per_doc.'),
  max_chunks_per_doc: optional(
    integer(1),
    'Documents are cut where they are too long, into one chunk.',
  ),
  truncation: optional(boolean, 'Voyage’s and Jina’s: cut what is too long.'),
  truncate_prompt_tokens: optional(
    truncatePromptTokens,
    'vLLM’s: -1 cuts at what the model takes.',
  ),
  instruction,
  instruct: optional(string, 'The same as instruction.'),
  user: harmless('names an end user.'),
  max_query_length: refused('queries are never cut. Leave it out.'),
  return_embeddings: refused('a reranker makes none. Leave it out.'),
  raw_scores: refused('send `texts` in place of `documents`, as TEI’s clients do.'),
})

type SharedValues = Values<typeof shared.fields>

async function rerankV2(context: Context, values: Values<typeof v2.fields>): Promise<HttpResponse> {
  const { ranked } = await run(context, values, values.query, values.documents, {
    truncate: 'end',
    documentTokens: values.max_tokens_per_doc ?? documentTokens,
  })
  const meta = metaOf('2', values.documents.length)
  return json({ id: context.id, results: ranked.slice(0, values.top_n).map(result), meta })
}

/** Cohere's first version, Jina's and Voyage's ask alike; the answer has what each promises. */
async function rerankV1(context: Context, values: SharedValues): Promise<HttpResponse> {
  const { documents: given, rank_fields: names = ['text'] } = values
  const most = values.max_tokens_per_doc ?? values.max_doc_length
  const asksForChunks = most !== undefined || values.max_chunks_per_doc !== undefined
  const cuts = values.truncation ?? values.truncate_prompt_tokens
  const query = typeof values.query === 'string' ? values.query : values.query.text
  const texts = given.map((one, i) => textOf(one, `documents[${i}]`, names))
  const { ranked, name } = await run(context, values, query, texts, {
    truncate: (cuts ?? (asksForChunks || context.settings.autoTruncate)) ? 'end' : 'error',
    documentTokens: most,
  })
  // Clones of this API take 0 and null for "all".
  const best = ranked.slice(0, values.top_n || values.top_k || undefined)
  const { tokens } = context.usage
  const withText = values.return_documents ?? false
  const documented = (document: (i: number) => unknown) =>
    best.map((one) => ({ ...result(one), ...(withText ? { document: document(one.index) } : {}) }))
  return json({
    id: context.id,
    object: 'list',
    model: name,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
    results: documented((i) => (typeof given[i] === 'string' ? { text: given[i] } : given[i])),
    // Voyage's, whose documents are strings.
    data: documented((i) => texts[i]),
    meta: metaOf('1', given.length),
  })
}

interface Asked {
  model?: string | undefined
  instruction?: string | undefined
  instruct?: string | undefined
  priority?: RankWork['priority']
}

async function run(
  context: Context,
  asked: Asked,
  query: string,
  documents: readonly string[],
  how: Pick<RankWork, 'truncate' | 'documentTokens'>,
) {
  const served = await context.models.reranker(asked.model, context.onEnd)
  const work = {
    ...how,
    query,
    documents,
    param: 'documents',
    instruction: asked.instruction ?? asked.instruct,
    priority: asked.priority,
  }
  return { ranked: await rank(served, work, context), name: served.name }
}

/** A string, or an object of which the named fields count. */
function textOf(document: unknown, name: string, rankFields: readonly string[]): string {
  if (typeof document === 'string') return document
  const values = rankFields.map((field) => {
    const value =
      Object.hasOwn(document as object, field) && (document as Record<string, unknown>)[field]
    return typeof value === 'string' ? value : wrong('a string', `${name}.${field}`, value)
  })
  return values.length === 1
    ? values[0]!
    : values.map((value, i) => `${rankFields[i]}: ${value}`).join('\n')
}

function result({ index, score }: RankedDocument) {
  return { index, relevance_score: score }
}

// Cohere counts a search for each hundred documents.
function metaOf(version: string, count: number) {
  return {
    api_version: { version, is_experimental: false },
    billed_units: { search_units: Math.ceil(count / 100) },
  }
}

/** One path of several APIs: TEI's bodies have `texts`. Until the body is read, errors have the fields of all. */
function sharedRoute(
  dialect: Dialect,
  then: Dialect,
  parts: Pick<Route, 'paths' | 'id' | 'summary'>,
): Route {
  const unread = operation(dialect, shared, rerankV1)
  const own = operation(then, shared, rerankV1)
  const tei = operation('tei', teiRerankBody, teiRerank)
  return {
    method: 'POST',
    ...parts,
    operations: [unread, own, tei],
    choose: (given) => (isObject(given) && Object.hasOwn(given as object, 'texts') ? tei : own),
    answer: answer('Rerank', { anyOf: [sharedRerank, teiRanks] }),
  }
}

export const rerankRoutes: readonly Route[] = [
  post(
    {
      paths: ['/v2/rerank'],
      id: 'cohereRerank',
      dialect: 'cohere',
      summary: 'Documents by relevance to a query, as Cohere does it',
      answer: cohereRerank,
    },
    v2,
    rerankV2,
  ),
  sharedRoute('cohere-or-jina', 'cohere-or-jina', {
    paths: ['/v1/rerank', '/v1/reranking'],
    id: 'rerankV1',
    summary: 'Documents by relevance to a query, as Cohere, Jina and Voyage do it',
  }),
  sharedRoute('tei-or-jina', 'jina', {
    paths: ['/rerank', '/reranking'],
    id: 'rerank',
    summary: 'As TEI does it where the body has `texts`, else as Jina does',
  }),
]
