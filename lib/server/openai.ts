// OpenAI's /v1/embeddings and /v1/models, with what Voyage, Jina and vLLM add to the first.
import type { Precision } from '../index.ts'
import type { Call, Route } from './call.ts'
import { embed, readDimensions, readPriority, readTexts } from './embedding.ts'
import { type Answer, json, jsonList } from './exchange.ts'
import type { Fields } from './fields.ts'
import { readInstruction } from './purpose.ts'
import { Refusal } from './refusal.ts'
import type { Served, ServedEmbedder } from './served.ts'
import { type Form, vectorsJson } from './vector-json.ts'

async function embeddings(call: Call, fields: Fields): Promise<Answer> {
  const served = call.models.embedder(fields.string('model'))
  refuse(fields, 'late_chunking')
  const form = readForm(fields)
  const { texts } = readTexts(fields, 'input', served, call.tally)
  const vectors = await embed(
    served,
    {
      texts,
      param: 'input',
      instruction: readInstruction(fields, served),
      dimensions:
        readDimensions(fields, served, 'dimensions') ??
        readDimensions(fields, served, 'output_dimension'),
      truncate: readTruncation(fields, call) ? 'end' : 'error',
      normalize: fields.boolean('normalized'),
      priority: readPriority(fields),
    },
    call.tally,
  )
  const { tokens } = call.tally
  return jsonList(
    '{"object":"list","data":[',
    items(vectors, form, served),
    `],"model":${JSON.stringify(served.name)},"usage":{"prompt_tokens":${tokens},"total_tokens":${tokens}}}`,
  )
}

function* items(vectors: Float32Array[], form: Form, served: ServedEmbedder): Generator<string> {
  let index = 0
  for (const embedding of vectorsJson(vectors, form, served)) {
    yield `{"object":"embedding","index":${index++},"embedding":${embedding}}`
  }
}

const precisions = ['float', 'int8', 'uint8', 'binary', 'ubinary'] as const
const formats = [...precisions, 'base64'] as const

// OpenAI's `encoding_format` says float or base64, Voyage's `output_dtype` which numbers, and Jina's
// `embedding_type` either.
function readForm(fields: Fields): Form {
  const format =
    fields.choice('encoding_format', formats) ?? fields.choice('embedding_type', formats)
  const type = fields.choice('output_dtype', precisions)
  const named = type ?? (format === 'base64' ? undefined : format) ?? 'float'
  const precision: Precision = named === 'float' ? 'float32' : named
  return { precision, isBase64: format === 'base64' }
}

// `truncate` is Jina's, `truncation` Voyage's.
function readTruncation(fields: Fields, { settings }: Call): boolean {
  return fields.boolean('truncate') ?? fields.boolean('truncation') ?? settings.autoTruncate
}

/** Fields that would change the result if they were obeyed, and are not. */
export function refuse(fields: Fields, ...names: string[]): void {
  for (const name of names) {
    const value = fields.raw(name)
    if (value === undefined || value === false) continue
    throw new Refusal('invalid', `${name} is not supported here. Leave it out.`, { param: name })
  }
}

function list({ models }: Call): Answer {
  return json({ object: 'list', data: models.all.map(describe) })
}

function retrieve({ models, rest }: Call): Answer {
  return json(describe(models.get(rest)))
}

function describe(served: Served) {
  const { info, maxTokens } = served.model
  return {
    id: served.name,
    object: 'model',
    created: Math.floor(performance.timeOrigin / 1000),
    owned_by: 'qwen3-embed',
    kind: served.kind,
    architecture: info.architecture,
    quantization: info.quantization,
    fingerprint: info.fingerprint,
    bundled: info.bundled,
    max_tokens: maxTokens,
    prompts: [...served.prompts.keys()],
    ...(served.kind === 'embedding' ? { dimensions: served.model.dimensions } : {}),
  }
}

export const openaiRoutes: readonly Route[] = [
  {
    method: 'POST',
    paths: ['/v1/embeddings', '/embeddings'],
    dialect: 'openai',
    summary: 'Texts or token ids to vectors, as OpenAI does it',
    run: embeddings,
  },
  {
    method: 'GET',
    paths: ['/v1/models'],
    dialect: 'openai',
    summary: 'The models of this server',
    run: list,
  },
  {
    method: 'GET',
    paths: ['/v1/models/*'],
    dialect: 'openai',
    summary: 'One model',
    run: retrieve,
  },
]
