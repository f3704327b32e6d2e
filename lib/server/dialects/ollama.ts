// Ollama's API, as far as embedding goes: many tools speak nothing else.
import { version } from '../../root.ts'
import { answer, array, count, number, object, text, vector } from '../answers.ts'
import { type Context, get, post, type Route } from '../context.ts'
import { durationOf } from '../duration.ts'
import { dimensions, embed, textsOf } from '../embedding.ts'
import { type HttpResponse, json, jsonParts, commas } from '../http/messages.ts'
import type { Listed } from '../models.ts'
import { RequestError } from '../request-error.ts'
import {
  body,
  boolean,
  either,
  harmless,
  integer,
  isList,
  isString,
  list,
  optional,
  record,
  refused,
  required,
  string,
  type Type,
  type Values,
  wrong,
} from '../schema.ts'
import { floatsJson } from '../vector-json.ts'

/** Ollama's way to write a time, as milliseconds: `10m`, `1h30m`, seconds as a number; negative is forever. */
const duration: Type<number> = {
  read(value, name) {
    if (typeof value === 'number') return value < 0 ? Number.POSITIVE_INFINITY : value * 1000
    const milliseconds = typeof value === 'string' ? durationOf(value) : undefined
    return milliseconds ?? wrong('seconds, or a time such as "10m"', name, value)
  },
  describe: () => ({ type: ['string', 'number', 'null'] }),
}

const ofGeneration = harmless('says how text is generated, or where a model runs.')

/** Of `options`, only the length of the context changes a vector. */
const modelOptions = body('OllamaOptions', {
  num_ctx: optional(integer(1), 'The model’s own length, or more; less is refused.'),
  ...Object.fromEntries(
    [
      'numa num_batch num_gpu main_gpu low_vram vocab_only use_mmap use_mlock num_thread num_keep seed num_predict',
      'top_k top_p min_p tfs_z typical_p repeat_last_n temperature repeat_penalty presence_penalty frequency_penalty',
      'mirostat mirostat_tau mirostat_eta penalize_newline stop embedding_only f16_kv logits_all',
    ]
      .join(' ')
      .split(' ')
      .map((name) => [name, ofGeneration]),
  ),
})

const shared = {
  model: optional(
    string,
    'A model of this server; `:latest` may be left out. Default: the first one.',
  ),
  keep_alive: optional(duration, 'How long the model stays loaded after this request.'),
  options: optional(record(modelOptions)),
}

const embedBody = body('OllamaEmbedRequest', {
  ...shared,
  input: required(
    either(
      'a string or a list of strings',
      [isString, string],
      [isTexts, list(string, 'batch')],
      [isList, emptyList()],
    ),
  ),
  truncate: optional(boolean, 'Cut what is too long. Default: true.'),
  dimensions: optional(dimensions),
})

const embeddingsBody = body('OllamaEmbeddingsRequest', {
  ...shared,
  prompt: required(string),
  truncate: optional(boolean, 'Cut what is too long. Default: true.'),
})

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0
}

function emptyList(): Type<string[]> {
  return { read: () => [], describe: () => ({ type: 'array', maxItems: 0 }) }
}

interface Asked {
  model?: string | undefined
  keep_alive?: number | undefined
  options?: { num_ctx?: number | undefined } | undefined
  truncate?: boolean | undefined
  dimensions?: number | undefined
}

/** Texts go in as they are: whoever speaks to Ollama writes prefixes himself. */
async function vectorsOf(context: Context, texts: string[], param: string, asked: Asked) {
  const start = performance.now()
  const served = await context.models.embedder(asked.model, context.onEnd)
  const loaded = performance.now() - start
  if (asked.keep_alive !== undefined) context.models.keep(served.name, asked.keep_alive)
  const length = asked.options?.num_ctx
  if (length !== undefined && length < served.model.maxTokens) {
    throw new RequestError(
      'invalid',
      `options.num_ctx is ${served.model.maxTokens} here, and texts are not cut to ${length}. Leave it out.`,
      { param: 'options' },
    )
  }
  const work = {
    texts: textsOf(texts, param, served),
    param,
    purpose: { role: undefined, instruction: undefined },
    truncate: (asked.truncate ?? true) ? ('end' as const) : ('error' as const),
    dimensions: asked.dimensions,
  }
  const vectors = texts.length === 0 ? [] : await embed(served, work, context)
  const times = { total: nanoseconds(performance.now() - start), load: nanoseconds(loaded) }
  return { vectors, times }
}

async function embedTexts(
  context: Context,
  values: Values<typeof embedBody.fields>,
): Promise<HttpResponse> {
  const { vectors, times } = await vectorsOf(context, [values.input].flat(), 'input', values)
  const name = JSON.stringify(values.model ?? context.usage.model ?? context.models.listed().name)
  function* parts() {
    yield `{"model":${name},"embeddings":[`
    yield* commas(vectors.map(floatsJson))
    yield `],"total_duration":${times.total},"load_duration":${times.load},"prompt_eval_count":${context.usage.tokens}}`
  }
  return jsonParts(parts())
}

async function embeddings(
  context: Context,
  values: Values<typeof embeddingsBody.fields>,
): Promise<HttpResponse> {
  // An empty prompt only loads the model.
  const texts = values.prompt === '' ? [] : [values.prompt]
  const { vectors } = await vectorsOf(context, texts, 'prompt', values)
  return json({ embedding: Array.from(vectors[0] ?? []) })
}

function nanoseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1e6)
}

const nameFields = {
  model: optional(string),
  name: optional(string, 'The same, as older clients write it.'),
}
const showBody = body('OllamaShowRequest', {
  ...nameFields,
  verbose: harmless('nothing more is told.'),
  system: refused('models here have no system prompt. Leave it out.', ''),
  template: refused('prompts are the model’s own. Leave it out.', ''),
  options: harmless('nothing is run.'),
})
const pullBody = body('OllamaPullRequest', {
  ...nameFields,
  insecure: harmless('nothing is fetched.'),
  stream: optional(boolean, 'Default: true; the one event there is on a line of its own.'),
})

function show({ models }: Context, values: Values<typeof showBody.fields>): HttpResponse {
  const one = models.listed(nameOf(values))
  const { info } = one
  return json({
    modelfile: `FROM ${one.name}`,
    parameters: '',
    template: '{{ .Prompt }}',
    license: '',
    details: detailsOf(one),
    model_info: {
      'general.architecture': info.architecture,
      'general.basename': info.name,
      'general.parameter_count': info.parameters,
      [`${info.architecture}.block_count`]: info.layers,
      [`${info.architecture}.context_length`]: one.maxTokens,
      [`${info.architecture}.embedding_length`]: info.width,
    },
    capabilities: one.kind === 'embedding' ? ['embedding'] : ['rerank'],
    modified_at: startedAt,
  })
}

/** Models are fetched before a server starts: one that is there counts as pulled. */
function pull({ models }: Context, values: Values<typeof pullBody.fields>): HttpResponse {
  models.listed(nameOf(values))
  const event = { status: 'success' }
  if (values.stream === false) return json(event)
  return {
    status: 200,
    headers: { 'content-type': 'application/x-ndjson' },
    body: `${JSON.stringify(event)}\n`,
  }
}

function nameOf({
  model,
  name,
}: {
  model?: string | undefined
  name?: string | undefined
}): string {
  const given = model ?? name
  if (given !== undefined) return given
  throw new RequestError('invalid', 'Expected the field model', { param: 'model' })
}

const startedAt = new Date(performance.timeOrigin).toISOString()

function tags({ models }: Context): HttpResponse {
  return json({ models: models.all.map((one) => ({ ...entryOf(one), modified_at: startedAt })) })
}

function running({ models }: Context): HttpResponse {
  const loaded = models.all.filter(({ isLoaded }) => isLoaded)
  return json({
    models: loaded.map((one) => ({
      ...entryOf(one),
      expires_at: new Date(one.expires ?? forever).toISOString(),
      size_vram: 0,
      context_length: one.maxTokens,
    })),
  })
}

/** The last moment that every client can read. */
const forever = Date.UTC(9999, 11, 31)

function entryOf(one: Listed) {
  const { name, info } = one
  // Ollama's is the sha256 of a manifest; what tells two files apart here is the fingerprint.
  const digest = info.fingerprint.padEnd(64, '0').slice(0, 64)
  return { name, model: name, size: info.bytes, digest, details: detailsOf(one) }
}

function detailsOf({ info }: Listed) {
  const { architecture, parameters, quantization } = info
  const size =
    parameters >= 1e9 ? `${(parameters / 1e9).toFixed(1)}B` : `${(parameters / 1e6).toFixed(0)}M`
  return {
    parent_model: '',
    format: 'gguf',
    family: architecture,
    families: [architecture],
    parameter_size: size,
    quantization_level: quantization,
  }
}

const details = object({
  parent_model: text,
  format: text,
  family: text,
  families: array(text),
  parameter_size: text,
  quantization_level: text,
})
const entry = { name: text, model: text, size: count, digest: text, details }
const status = object({ status: text })

export const ollamaRoutes: readonly Route[] = [
  post(
    {
      paths: ['/api/embed'],
      id: 'ollamaEmbed',
      dialect: 'ollama',
      summary: 'Texts to vectors, as Ollama does it; texts go in as they are',
      answer: answer(
        'OllamaEmbeddings',
        object({
          model: text,
          embeddings: array(vector),
          total_duration: number,
          load_duration: number,
          prompt_eval_count: count,
        }),
      ),
    },
    embedBody,
    embedTexts,
  ),
  post(
    {
      paths: ['/api/embeddings'],
      id: 'ollamaEmbeddings',
      dialect: 'ollama',
      summary: 'One text to a vector, as older clients of Ollama ask for it',
      answer: answer('OllamaEmbedding', object({ embedding: vector })),
    },
    embeddingsBody,
    embeddings,
  ),
  post(
    {
      paths: ['/api/show'],
      id: 'ollamaShow',
      dialect: 'ollama',
      summary: 'Facts of a model, as Ollama tells them',
      answer: answer(
        'OllamaModel',
        object({
          modelfile: text,
          parameters: text,
          template: text,
          license: text,
          details,
          model_info: { type: 'object' },
          capabilities: array(text),
          modified_at: text,
        }),
      ),
    },
    showBody,
    show,
  ),
  post(
    {
      paths: ['/api/pull'],
      id: 'ollamaPull',
      dialect: 'ollama',
      summary: 'Whether a model is here: nothing is fetched',
      answer: answer('OllamaStatus', status),
    },
    pullBody,
    pull,
  ),
  get(
    {
      paths: ['/api/tags'],
      id: 'ollamaTags',
      dialect: 'ollama',
      summary: 'The models of this server, as Ollama lists them',
      answer: answer(
        'OllamaTags',
        object({ models: array(object({ ...entry, modified_at: text })) }),
      ),
    },
    tags,
  ),
  get(
    {
      paths: ['/api/ps'],
      id: 'ollamaRunning',
      dialect: 'ollama',
      summary: 'The models that are loaded, as Ollama lists them',
      answer: answer(
        'OllamaRunning',
        object({
          models: array(
            object({ ...entry, expires_at: text, size_vram: count, context_length: count }),
          ),
        }),
      ),
    },
    running,
  ),
  get(
    {
      paths: ['/api/version'],
      id: 'ollamaVersion',
      dialect: 'ollama',
      summary: 'The version of this server',
      answer: answer('OllamaVersion', object({ version: text })),
    },
    () => json({ version }),
  ),
]
