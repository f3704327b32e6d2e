// Cohere's /v2/embed: one request, several encodings.
import type { Precision } from '../index.ts'
import type { Call, Route } from './call.ts'
import { embed, readDimensions, readPriority } from './embedding.ts'
import { type Answer, commas, jsonParts } from './exchange.ts'
import { type Fields, wrong } from './fields.ts'
import { readInstruction } from './purpose.ts'
import { Refusal } from './refusal.ts'
import { type Form, vectorsJson } from './vector-json.ts'
import { checkBatch } from './work.ts'

const types = ['float', 'int8', 'uint8', 'binary', 'ubinary', 'base64'] as const

async function embedV2(call: Call, fields: Fields): Promise<Answer> {
  const served = call.models.embedder(fields.string('model'))
  const asked = fields.has('embedding_types') ? fields.strings('embedding_types') : ['float']
  for (const [i, type] of asked.entries()) {
    if (!types.includes(type as never)) wrong(types.join(', '), `embedding_types[${i}]`, type)
  }
  const end = fields.choice('truncate', ['NONE', 'START', 'END']) ?? 'END'
  if (end === 'START') {
    throw new Refusal('invalid', 'truncate START is not supported here. Use END or NONE.', {
      param: 'truncate',
    })
  }
  const texts = fields.strings('texts')
  checkBatch(texts.length, 'texts', call.tally.limits)
  const vectors = await embed(
    served,
    {
      texts,
      param: 'texts',
      instruction: readInstruction(fields, served),
      dimensions: readDimensions(fields, served, 'output_dimension'),
      truncate: end === 'END' ? 'end' : 'error',
      priority: readPriority(fields),
    },
    call.tally,
  )
  const forms = [...new Set(asked)].map((type) => {
    const precision = (type === 'float' || type === 'base64' ? 'float32' : type) as Precision
    const form: Form = { precision, isBase64: type === 'base64' }
    return [type, form] as const
  })
  const { id, tokens } = call.tally
  const meta = { api_version: { version: '2' }, billed_units: { input_tokens: tokens } }
  function* parts() {
    yield `{"id":"${id}","response_type":"embeddings_by_type","embeddings":{`
    for (const [i, [type, form]] of forms.entries()) {
      yield `${i > 0 ? ',' : ''}"${type}":[`
      yield* commas(vectorsJson(vectors, form, served))
      yield ']'
    }
    yield `},"texts":${JSON.stringify(texts)},"meta":${JSON.stringify(meta)}}`
  }
  return jsonParts(parts())
}

export const cohereEmbedRoutes: readonly Route[] = [
  {
    method: 'POST',
    paths: ['/v2/embed'],
    dialect: 'cohere',
    summary: 'Texts to vectors in several encodings, as Cohere does it',
    run: embedV2,
  },
]
