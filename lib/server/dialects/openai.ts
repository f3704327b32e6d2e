// OpenAI's /v1/embeddings and /v1/models, with what Voyage, Jina, NIM and vLLM add to the first.
import type { Precision } from '../../index.ts'
import { answer, array, count, embeddingList, flag, object, text } from '../answers.ts'
import { type Context, get, post, type Route } from '../context.ts'
import { commonFields, dimensions, embed, refuseIds, textsOf, textsOrIds } from '../embedding.ts'
import { type HttpResponse, json, jsonList } from '../http/messages.ts'
import { purposeFields, purposeOf } from '../instruction.ts'
import type { Listed, ServedEmbedder } from '../models.ts'
import { RequestError } from '../request-error.ts'
import {
  body,
  boolean,
  choice,
  either,
  harmless,
  isObject,
  isString,
  list,
  optional,
  record,
  refused,
  required,
  string,
  type Type,
  type Values,
} from '../schema.ts'
import { type Form, vectorsJson } from '../vector-json.ts'

const precisions = ['float', 'int8', 'uint8', 'binary', 'ubinary'] as const
const formats = choice(...precisions, 'base64')

/** Jina's `[{ text }]`, beside everything that OpenAI takes. */
const textObject = body('TextObject', {
  text: required(string),
  image: refused('models here read text'),
})
const holdsObject = (value: unknown) => Array.isArray(value) && value.some(isObject)
const input = either(
  'a string, a list of strings, or token ids',
  [
    holdsObject,
    list(
      either('a string or { text }', [isString, string], [isObject, record(textObject)]),
      'batch',
    ),
  ],
  [() => true, textsOrIds],
)

/** A boolean, or NIM's words; the beginning is never cut. */
export const truncate: Type<boolean> = {
  read(value, name) {
    if (typeof value !== 'string' || /^(true|false)$/.test(value)) return boolean.read(value, name)
    const where = choice('NONE', 'END', 'START').read(value.toUpperCase(), name)
    if (where === 'START') throw startOf(name)
    return where === 'END'
  },
  describe: () => ({ enum: [true, false, 'true', 'false', 'NONE', 'END', null] }),
}

export function startOf(name: string): RequestError {
  return new RequestError('invalid', `${name} START is not supported here. Use END or NONE.`, {
    param: name,
  })
}

/** vLLM's: -1 cuts at what the model takes. */
export const truncatePromptTokens: Type<boolean> = {
  read(value, name) {
    if (value === -1) return true
    throw new RequestError(
      'invalid',
      `${name} takes -1 here, which cuts at what the model takes. Cut texts before you send them to fewer tokens.`,
      { param: name },
    )
  },
  describe: () => ({ enum: [-1, null] }),
}

export const embeddingBody = body('EmbeddingRequest', {
  ...commonFields,
  ...purposeFields,
  input: required(
    input,
    'A text, or a list of them; Jina’s [{ text }]; ids where the server allows them.',
  ),
  encoding_format: optional(
    formats,
    'How numbers are written; Voyage and Jina name more than OpenAI.',
  ),
  embedding_type: optional(formats, 'Jina’s encoding_format.'),
  output_dtype: optional(choice(...precisions), 'Voyage’s: which numbers.'),
  dimensions: optional(dimensions, 'Keep the first so many.'),
  output_dimension: optional(dimensions, 'Voyage’s dimensions.'),
  normalized: optional(boolean, 'Jina’s: unit length. Default: true.'),
  truncate: optional(
    truncate,
    'Jina’s boolean, or NIM’s NONE or END. Cuts texts that are too long.',
  ),
  truncation: optional(boolean, 'Voyage’s truncate.'),
  truncate_prompt_tokens: optional(
    truncatePromptTokens,
    'vLLM’s: -1 cuts at what the model takes.',
  ),
  user: harmless('names an end user.'),
  metadata: harmless('for the records of whoever asks.'),
  modality: harmless('NIM’s; texts are all there is.'),
  request_id: harmless('vLLM’s; send the header X-Request-Id.'),
  add_special_tokens: refused('vectors need them. Leave it out.', true),
  late_chunking: refused('each text is embedded alone. Leave it out.'),
  return_multivector: refused('use /embed_all. Leave it out.'),
  embed_dtype: refused('use encoding_format. Leave it out.', 'float32'),
  endianness: refused('bytes are little-endian. Leave it out.', 'native', 'little'),
})

export type EmbeddingValues = Values<typeof embeddingBody.fields>

export async function embeddings(
  context: Context,
  values: EmbeddingValues,
  name = values.model,
): Promise<HttpResponse> {
  const served = await context.models.embedder(name, context.onEnd)
  const form = formOf(values)
  const texts = textsOf(plainTexts(values.input), 'input', served)
  refuseIds(texts, 'input', context)
  const cuts = values.truncate ?? values.truncation ?? values.truncate_prompt_tokens
  const vectors = await embed(
    served,
    {
      texts,
      param: 'input',
      purpose: purposeOf(values, served),
      dimensions: values.dimensions ?? values.output_dimension,
      truncate: (cuts ?? context.settings.autoTruncate) ? 'end' : 'error',
      normalize: values.normalized,
      priority: values.priority,
    },
    context,
  )
  const { tokens } = context.usage
  return jsonList(
    '{"object":"list","data":[',
    items(vectors, form, served),
    `],"model":${JSON.stringify(served.name)},"usage":{"prompt_tokens":${tokens},"total_tokens":${tokens}}}`,
  )
}

function plainTexts(given: EmbeddingValues['input']) {
  if (!Array.isArray(given)) return given
  return given.map((one) =>
    typeof one === 'string' || ArrayBuffer.isView(one) ? one : one.text,
  ) as (string | Int32Array)[]
}

function* items(vectors: Float32Array[], form: Form, served: ServedEmbedder): Generator<string> {
  let index = 0
  for (const embedding of vectorsJson(vectors, form, served)) {
    yield `{"object":"embedding","index":${index++},"embedding":${embedding}}`
  }
}

// OpenAI's `encoding_format` says float or base64, Voyage's `output_dtype` which numbers, and Jina's
// `embedding_type` either.
function formOf({ encoding_format, embedding_type, output_dtype }: EmbeddingValues): Form {
  const format = encoding_format ?? embedding_type
  const named = output_dtype ?? (format === 'base64' ? undefined : format) ?? 'float'
  const precision: Precision = named === 'float' ? 'float32' : named
  return { precision, isBase64: format === 'base64' }
}

/** OpenAI's `data` and Cohere's `models`: their clients read one each. */
function listModels({ models }: Context): HttpResponse {
  const all = models.all.map(describe)
  return json({ object: 'list', data: all, models: all })
}

function retrieve({ models, param }: Context): HttpResponse {
  return json(describe(models.listed(param)))
}

function describe({ name, kind, info, maxTokens, dimensions: width, isLoaded, prompts }: Listed) {
  return {
    id: name,
    name,
    object: 'model',
    created: Math.floor(performance.timeOrigin / 1000),
    owned_by: 'qwen3-embed',
    kind,
    endpoints: [kind === 'embedding' ? 'embed' : 'rerank'],
    architecture: info.architecture,
    family: info.family,
    quantization: info.quantization,
    parameters: info.parameters,
    bytes: info.bytes,
    fingerprint: info.fingerprint,
    bundled: 'bundled' in info && info.bundled === true,
    loaded: isLoaded,
    max_tokens: maxTokens,
    context_length: maxTokens,
    prompts,
    ...(width === undefined ? {} : { dimensions: width }),
  }
}

const modelSchema = object({
  id: text,
  name: text,
  object: { const: 'model' },
  created: count,
  owned_by: text,
  kind: { enum: ['embedding', 'reranking'] },
  endpoints: array(text),
  architecture: text,
  family: text,
  quantization: text,
  parameters: count,
  bytes: count,
  fingerprint: text,
  bundled: flag,
  loaded: flag,
  max_tokens: count,
  context_length: count,
  prompts: array(text),
  'dimensions?': count,
})

export const openaiRoutes: readonly Route[] = [
  post(
    {
      paths: ['/v1/embeddings', '/embeddings', '/openai/v1/embeddings'],
      id: 'createEmbeddings',
      dialect: 'openai',
      summary: 'Texts to vectors, as OpenAI, Voyage, Jina, NIM and vLLM do it',
      answer: embeddingList,
    },
    embeddingBody,
    embeddings,
  ),
  get(
    {
      paths: ['/v1/models'],
      id: 'listModels',
      dialect: 'openai',
      summary: 'The models of this server',
      answer: answer(
        'ModelList',
        object({ object: { const: 'list' }, data: array(modelSchema), models: array(modelSchema) }),
      ),
    },
    listModels,
  ),
  get(
    {
      paths: ['/v1/models/{id}'],
      id: 'getModel',
      dialect: 'openai',
      summary: 'One model',
      answer: answer('Model', modelSchema),
    },
    retrieve,
  ),
]
