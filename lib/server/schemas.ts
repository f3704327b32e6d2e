// JSON schemas of requests and answers, for /openapi.json. The checks themselves are in the dialects' own files.
import type { Dialect } from './dialects.ts'
import type { Limits } from './options.ts'

export type Schema = Record<string, unknown>

const string = (description?: string): Schema => ({
  type: 'string',
  ...(description ? { description } : {}),
})
const boolean = (description?: string): Schema => ({
  type: 'boolean',
  ...(description ? { description } : {}),
})
const integer = (minimum: number, maximum?: number): Schema => ({
  type: 'integer',
  minimum,
  ...(maximum === undefined ? {} : { maximum }),
})
const number: Schema = { type: 'number' }
const array = (items: Schema, maxItems?: number): Schema => ({
  type: 'array',
  items,
  ...(maxItems === undefined ? {} : { minItems: 1, maxItems }),
})
const choice = (...values: string[]): Schema => ({ type: 'string', enum: values })
const object = (properties: Record<string, Schema>, required: string[] = []): Schema => ({
  type: 'object',
  properties,
  ...(required.length > 0 ? { required } : {}),
})

const ids = array(integer(0))
const vector = array(number)
const purpose = {
  instruction: string('What the text is for, in English. Goes before the others.'),
  prompt_name: string('A prompt of the model, as TEI names it, such as query.'),
  input_type: string('query, document, search_query or search_document.'),
}
const common = {
  model: string('Default: the first one that fits.'),
  priority: choice('interactive', 'bulk'),
}
const teiCommon = {
  ...common,
  truncate: boolean(),
  truncation_direction: choice('Right', 'right'),
}

/** Request bodies by documented path. */
export function requestSchemas({ batch }: Limits): Record<string, Schema> {
  const texts: Schema = {
    oneOf: [string(), array(string(), batch), ids, array(ids, batch)],
  }
  const documents = array({ oneOf: [string(), object({ text: string() }, ['text'])] }, batch)
  const rerank = object(
    {
      ...common,
      query: string(),
      documents,
      top_n: integer(0),
      return_documents: boolean(),
      rank_fields: array(string()),
      max_tokens_per_doc: integer(1),
      truncation: boolean(),
      instruction: string('What relevant means here, in English.'),
    },
    ['query', 'documents'],
  )
  const teiRerank = object(
    {
      ...teiCommon,
      query: string(),
      texts: array(string(), batch),
      raw_scores: boolean('Logit differences in place of probabilities.'),
      return_text: boolean(),
      instruction: purpose.instruction,
    },
    ['query', 'texts'],
  )
  const inputs = { ...teiCommon, ...purpose, inputs: texts }
  const similarity = object(
    {
      model: common.model,
      inputs: object({ source_sentence: string(), sentences: array(string(), batch) }, [
        'source_sentence',
        'sentences',
      ]),
      parameters: object({ ...teiCommon, ...purpose }),
    },
    ['inputs'],
  )
  const embed = object({ ...inputs, normalize: boolean(), dimensions: integer(1) }, ['inputs'])
  return {
    '/v1/embeddings': object(
      {
        ...common,
        ...purpose,
        input: texts,
        encoding_format: choice('float', 'base64', 'int8', 'uint8', 'binary', 'ubinary'),
        output_dtype: choice('float', 'int8', 'uint8', 'binary', 'ubinary'),
        dimensions: integer(1),
        truncate: boolean(),
        user: string(),
      },
      ['input'],
    ),
    '/v2/embed': object(
      {
        ...common,
        ...purpose,
        texts: array(string(), batch),
        embedding_types: array(choice('float', 'int8', 'uint8', 'binary', 'ubinary', 'base64')),
        output_dimension: integer(1),
        truncate: choice('NONE', 'END'),
      },
      ['texts'],
    ),
    '/v2/rerank': rerank,
    '/v1/rerank': { oneOf: [rerank, teiRerank] },
    '/rerank': { oneOf: [teiRerank, rerank] },
    '/embed': embed,
    '/embed_all': object(inputs, ['inputs']),
    '/similarity': similarity,
    '/': { oneOf: [embed, similarity, teiRerank] },
    '/tokenize': object(
      { model: common.model, inputs: texts, add_special_tokens: boolean(), ...purpose },
      ['inputs'],
    ),
    '/decode': object(
      { model: common.model, ids: { oneOf: [ids, array(ids)] }, skip_special_tokens: boolean() },
      ['ids'],
    ),
  }
}

const results = array(
  object({ index: integer(0), relevance_score: number, document: {} }, [
    'index',
    'relevance_score',
  ]),
)
const ranks = array(
  object({ index: integer(0), score: number, text: string() }, ['index', 'score']),
)
const rerankAnswer = object({ id: string(), results, usage: {}, meta: {} }, ['results'])
const encoded: Schema = { oneOf: [vector, string('base64, little-endian')] }

/** Answers of 200 by documented path, with its method where two share it and differ. */
export const answerSchemas: Readonly<Record<string, Schema>> = {
  '/v1/embeddings': object(
    {
      object: choice('list'),
      data: array(object({ object: choice('embedding'), index: integer(0), embedding: encoded })),
      model: string(),
      usage: object({ prompt_tokens: integer(0), total_tokens: integer(0) }),
    },
    ['object', 'data', 'model', 'usage'],
  ),
  '/v2/embed': object({ id: string(), embeddings: {}, texts: array(string()), meta: {} }, [
    'id',
    'embeddings',
  ]),
  '/v2/rerank': rerankAnswer,
  '/v1/rerank': { oneOf: [rerankAnswer, ranks] },
  '/rerank': { oneOf: [ranks, rerankAnswer] },
  '/embed': array(vector),
  '/embed_all': array(array(vector)),
  '/similarity': array(number),
  '/': { oneOf: [array(vector), array(number), ranks] },
  'GET /': object({ status: choice('ok') }, ['status']),
  '/tokenize': array(array(object({ id: integer(0), text: string(), special: boolean() }))),
  '/decode': array(string()),
}

const openaiError = object(
  {
    error: object(
      {
        message: string(),
        type: string(),
        param: { type: ['string', 'null'] },
        code: { type: ['string', 'null'] },
      },
      ['message', 'type', 'param', 'code'],
    ),
  },
  ['error'],
)
const cohereError = object({ message: string(), id: string() }, ['message'])
const jinaError = object({ detail: string() }, ['detail'])
const teiError = object({ error: string(), error_type: string() }, ['error', 'error_type'])

export const errorSchemas: Readonly<Record<Dialect, Schema>> = {
  openai: openaiError,
  cohere: cohereError,
  jina: jinaError,
  tei: teiError,
  'cohere-or-jina': { anyOf: [cohereError, jinaError, teiError] },
  'tei-or-jina': { anyOf: [teiError, jinaError] },
}
