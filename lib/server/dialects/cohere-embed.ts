// Cohere's /v2/embed and /v1/embed: one request, several encodings.
import type { Precision } from '../../index.ts'
import { cohereEmbeddings } from '../answers.ts'
import { type Context, post, type Route } from '../context.ts'
import { commonFields, dimensions, embed } from '../embedding.ts'
import { commas, type HttpResponse, jsonParts } from '../http/messages.ts'
import { purposeFields, purposeOf } from '../instruction.ts'
import { RequestError } from '../request-error.ts'
import {
  body,
  choice,
  harmless,
  list,
  optional,
  record,
  refused,
  required,
  string,
  type Values,
} from '../schema.ts'
import { type Form, vectorsJson } from '../vector-json.ts'
import { startOf } from './openai.ts'

const types = choice('float', 'int8', 'uint8', 'binary', 'ubinary', 'base64')
const { instruction, instruct, prompt_name, input_type } = purposeFields

const shared = {
  ...commonFields,
  instruction,
  instruct,
  prompt_name,
  input_type,
  embedding_types: optional(list(types), 'Default: float.'),
  truncate: optional(choice('NONE', 'START', 'END'), 'Default: END. START is refused.'),
  images: refused('models here read text. Leave it out.'),
}

const part = body('InputPart', {
  type: required(choice('text'), 'Images are refused.'),
  text: required(string),
})
const input = body('Input', { content: required(list(record(part))) })

const v2 = body('CohereEmbedRequest', {
  ...shared,
  texts: optional(list(string, 'batch')),
  inputs: optional(
    list(record(input), 'batch'),
    'In place of texts; parts of one input are joined by a space.',
  ),
  output_dimension: optional(dimensions),
  max_tokens: refused('texts are cut at what the model takes. Leave it out.'),
})

const v1 = body('CohereEmbedV1Request', {
  ...shared,
  texts: required(list(string, 'batch')),
  preset: harmless('for Cohere’s own playground.'),
})

type Asked = Pick<
  Values<typeof v2.fields>,
  Exclude<keyof typeof shared, 'images'> | 'output_dimension'
>

async function embedV2(context: Context, values: Values<typeof v2.fields>): Promise<HttpResponse> {
  const { texts, inputs } = values
  if ((texts === undefined) === (inputs === undefined)) {
    throw new RequestError('invalid', 'Expected either the field texts or the field inputs', {
      param: 'texts',
    })
  }
  const joined = inputs?.map(({ content }) => content.map((one) => one.text).join(' '))
  return byType(context, texts ?? joined!, values, '2')
}

async function embedV1(context: Context, values: Values<typeof v1.fields>): Promise<HttpResponse> {
  const { texts, embedding_types } = values
  const asked = { ...values, output_dimension: undefined }
  if (embedding_types !== undefined) return byType(context, texts, asked, '1')
  const { vectors, served } = await vectorsOf(context, texts, asked)
  const meta = metaOf(context, '1')
  const form: Form = { precision: 'float32', isBase64: false }
  function* parts() {
    yield `{"id":"${context.id}","response_type":"embeddings_floats","embeddings":[`
    yield* commas(vectorsJson(vectors, form, served))
    yield `],"texts":${JSON.stringify(texts)},"meta":${meta}}`
  }
  return jsonParts(parts())
}

async function byType(
  context: Context,
  texts: string[],
  asked: Asked,
  version: string,
): Promise<HttpResponse> {
  const { vectors, served } = await vectorsOf(context, texts, asked)
  const forms = [...new Set(asked.embedding_types ?? ['float' as const])].map((type) => {
    const precision: Precision = type === 'float' || type === 'base64' ? 'float32' : type
    return [type, { precision, isBase64: type === 'base64' }] as const
  })
  const meta = metaOf(context, version)
  function* parts() {
    yield `{"id":"${context.id}","response_type":"embeddings_by_type","embeddings":{`
    for (const [i, [type, form]] of forms.entries()) {
      yield `${i > 0 ? ',' : ''}"${type}":[`
      yield* commas(vectorsJson(vectors, form, served))
      yield ']'
    }
    yield `},"texts":${JSON.stringify(texts)},"meta":${meta}}`
  }
  return jsonParts(parts())
}

async function vectorsOf(context: Context, texts: string[], asked: Asked) {
  if (asked.truncate === 'START') throw startOf('truncate')
  const served = await context.models.embedder(asked.model, context.onEnd)
  const vectors = await embed(
    served,
    {
      texts,
      param: 'texts',
      purpose: purposeOf(asked, served),
      dimensions: asked.output_dimension,
      truncate: asked.truncate === 'NONE' ? 'error' : 'end',
      priority: asked.priority,
    },
    context,
  )
  return { vectors, served }
}

function metaOf({ usage }: Context, version: string): string {
  return JSON.stringify({ api_version: { version }, billed_units: { input_tokens: usage.tokens } })
}

export const cohereEmbedRoutes: readonly Route[] = [
  post(
    {
      paths: ['/v2/embed'],
      id: 'cohereEmbed',
      dialect: 'cohere',
      summary: 'Texts to vectors in several encodings, as Cohere does it',
      answer: cohereEmbeddings,
    },
    v2,
    embedV2,
  ),
  post(
    {
      paths: ['/v1/embed'],
      id: 'cohereEmbedV1',
      dialect: 'cohere',
      summary: 'Texts to vectors, as the first version of Cohere’s API does it',
      answer: cohereEmbeddings,
    },
    v1,
    embedV1,
  ),
]
