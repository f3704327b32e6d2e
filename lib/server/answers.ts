// Good answers and errors, as they are described.
import type { Answer } from './context.ts'
import type { Dialect } from './error-response.ts'
import type { JsonSchema } from './schema.ts'

export const text: JsonSchema = { type: 'string' }
export const number: JsonSchema = { type: 'number' }
export const count: JsonSchema = { type: 'integer', minimum: 0 }
export const flag: JsonSchema = { type: 'boolean' }

export function array(items: JsonSchema): JsonSchema {
  return { type: 'array', items }
}

export function nullable(schema: JsonSchema): JsonSchema {
  return { anyOf: [schema, { type: 'null' }] }
}

/** Every property is there; `?` at the end of a name marks one that may not be. */
export function object(properties: Record<string, JsonSchema>): JsonSchema {
  const entries = Object.entries(properties)
  const required = entries.flatMap(([name]) => (name.endsWith('?') ? [] : [name]))
  return {
    type: 'object',
    properties: Object.fromEntries(entries.map(([name, one]) => [name.replace('?', ''), one])),
    ...(required.length > 0 && { required }),
    additionalProperties: false,
  }
}

export function answer(name: string, schema: JsonSchema): Answer {
  return { name, schema }
}

export const vector = array(number)
export const usage = object({ prompt_tokens: count, total_tokens: count })
const coded: JsonSchema = {
  anyOf: [vector, { type: 'string', description: 'base64, little-endian' }],
}

export const embeddingList = answer(
  'EmbeddingList',
  object({
    object: { const: 'list' },
    data: array(object({ object: { const: 'embedding' }, index: count, embedding: coded })),
    model: text,
    usage,
  }),
)

const document: JsonSchema = { anyOf: [text, { type: 'object' }] }
const ranked = object({ index: count, relevance_score: number, 'document?': document })
const cohereMeta = object({
  api_version: object({ version: text, 'is_experimental?': flag }),
  'billed_units?': { type: 'object', additionalProperties: number },
})

export const cohereRerank = answer(
  'CohereRerank',
  object({ id: text, results: array(ranked), meta: cohereMeta }),
)
export const sharedRerank = object({
  id: text,
  object: { const: 'list' },
  model: text,
  usage,
  results: array(ranked),
  data: array(ranked),
  meta: cohereMeta,
})
export const teiRanks = array(object({ index: count, score: number, 'text?': text }))
export const cohereEmbeddings = answer('CohereEmbeddings', {
  anyOf: [
    object({
      id: text,
      response_type: { const: 'embeddings_by_type' },
      embeddings: { type: 'object', additionalProperties: array(coded) },
      texts: array(text),
      meta: cohereMeta,
    }),
    object({
      id: text,
      response_type: { const: 'embeddings_floats' },
      embeddings: array(vector),
      texts: array(text),
      meta: cohereMeta,
    }),
  ],
})
export const meta = cohereMeta

const openaiError = object({
  error: object({ message: text, type: text, param: nullable(text), code: nullable(text) }),
})
const cohereError = object({ message: text, id: text })
const jinaError = object({ detail: text })
const teiError = object({ error: text, error_type: text })

/** Of each dialect; a path that two APIs share says its errors in either's way. */
export const errors: Readonly<Record<Dialect, Answer>> = {
  openai: answer('OpenAIError', openaiError),
  cohere: answer('CohereError', cohereError),
  jina: answer('JinaError', jinaError),
  tei: answer('TeiError', teiError),
  ollama: answer('OllamaError', object({ error: text })),
  'cohere-or-jina': answer('CohereOrJinaError', object({ message: text, detail: text, id: text })),
  'tei-or-jina': answer(
    'TeiOrJinaError',
    object({ error: text, error_type: text, message: text, detail: text }),
  ),
}
