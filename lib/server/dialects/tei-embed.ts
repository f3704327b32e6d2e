// TEI's /embed, /embed_all and /similarity, and `POST /`, which is what Hugging Face's clients send to an endpoint.
import { similarity } from '../../index.ts'
import { answer, array, number, teiRanks, vector } from '../answers.ts'
import { type Context, operation, post, type Route } from '../context.ts'
import { commonFields, dimensions, embed, textsOf, textsOrIds } from '../embedding.ts'
import { commas, type HttpResponse, json, jsonList, jsonParts } from '../http/messages.ts'
import { purposeFields, purposeOf } from '../instruction.ts'
import {
  body,
  boolean,
  harmless,
  isObject,
  list,
  optional,
  record,
  required,
  string,
  type Values,
} from '../schema.ts'
import { floatsJson, rowsOf } from '../vector-json.ts'
import { teiFields, truncateOf } from './tei-fields.ts'
import { teiRerank, teiRerankBody } from './tei-rerank.ts'

const inputs = required(textsOrIds, 'A text, token ids of this model, or a list of either.')
/** Hugging Face's clients send these with every task. */
const options = harmless('of Hugging Face’s own servers.')

const embedBody = body('TeiEmbedRequest', {
  ...commonFields,
  ...teiFields,
  ...purposeFields,
  inputs,
  normalize: optional(boolean, 'Unit length. Default: true.'),
  dimensions: optional(dimensions),
  options,
})

async function embedInputs(
  context: Context,
  values: Values<typeof embedBody.fields>,
): Promise<HttpResponse> {
  const served = await context.models.embedder(values.model, context.onEnd)
  const vectors = await embed(
    served,
    {
      texts: textsOf(values.inputs, 'inputs', served),
      param: 'inputs',
      purpose: purposeOf(values, served),
      truncate: truncateOf(values, context),
      dimensions: values.dimensions,
      normalize: values.normalize,
      priority: values.priority,
    },
    context,
  )
  return jsonList('[', mapped(vectors, floatsJson), ']')
}

/** Values of an answer to /embed_all, which is (tokens × dimensions): 64 MiB of them. */
const maxValues = 16 << 20

const embedAllBody = body('TeiEmbedAllRequest', {
  ...commonFields,
  ...teiFields,
  ...purposeFields,
  inputs,
})

async function embedAll(
  context: Context,
  values: Values<typeof embedAllBody.fields>,
): Promise<HttpResponse> {
  const served = await context.models.embedder(values.model, context.onEnd)
  const width = served.model.dimensions
  const matrices = await embed(
    served,
    {
      texts: textsOf(values.inputs, 'inputs', served),
      param: 'inputs',
      purpose: purposeOf(values, served),
      truncate: truncateOf(values, context),
      pooling: 'none',
      normalize: false,
      mostTokens: Math.floor(maxValues / width),
      priority: values.priority,
    },
    context,
  )
  function* parts() {
    for (const [i, matrix] of matrices.entries()) {
      yield i === 0 ? '[[' : ',['
      yield* commas(mapped(rowsOf(matrix, width), floatsJson))
      yield ']'
    }
    yield ']'
  }
  return jsonParts(parts())
}

const sentences = body('TeiSentences', {
  source_sentence: required(string),
  sentences: required(list(string, 'batch')),
})
const parameters = body('TeiSimilarityParameters', { ...teiFields, ...purposeFields })
const similarityBody = body('TeiSimilarityRequest', {
  model: commonFields.model,
  inputs: required(record(sentences)),
  parameters: optional(record(parameters)),
  options,
})

async function similarities(
  context: Context,
  {
    model,
    inputs,
    parameters: asked = {} as Values<typeof parameters.fields>,
  }: Values<typeof similarityBody.fields>,
): Promise<HttpResponse> {
  const served = await context.models.embedder(model, context.onEnd)
  const [source, ...vectors] = await embed(
    served,
    {
      texts: [inputs.source_sentence, ...inputs.sentences],
      param: 'inputs',
      purpose: purposeOf(asked, served),
      truncate: truncateOf(asked, context),
    },
    context,
  )
  return json(vectors.map((one) => similarity(source!, one)))
}

function* mapped<T, U>(items: Iterable<T>, change: (item: T) => U): Generator<U> {
  for (const item of items) yield change(item)
}

const vectors = array(vector)
const predictions = [
  operation('tei', embedBody, embedInputs),
  operation('tei', similarityBody, similarities),
  operation('tei', teiRerankBody, teiRerank),
] as const

export const teiEmbedRoutes: readonly Route[] = [
  post(
    {
      paths: ['/embed'],
      id: 'teiEmbed',
      dialect: 'tei',
      summary: 'Texts or token ids to vectors, as TEI does it',
      answer: answer('Vectors', vectors),
    },
    embedBody,
    embedInputs,
  ),
  post(
    {
      paths: ['/embed_all'],
      id: 'teiEmbedAll',
      dialect: 'tei',
      summary: 'A vector for each token',
      answer: answer('TokenVectors', array(vectors)),
    },
    embedAllBody,
    embedAll,
  ),
  post(
    {
      paths: ['/similarity'],
      id: 'teiSimilarity',
      dialect: 'tei',
      summary: 'Cosine similarity of one sentence with others',
      answer: answer('Similarities', array(number)),
    },
    similarityBody,
    similarities,
  ),
  {
    method: 'POST',
    paths: ['/'],
    id: 'huggingFaceTask',
    summary: "Hugging Face's clients: vectors, similarities or ranks, as the body says",
    operations: predictions,
    choose(given) {
      if (!isObject(given)) return predictions[0]
      if (Object.hasOwn(given as object, 'texts')) return predictions[2]
      return isObject((given as { inputs?: unknown }).inputs) ? predictions[1] : predictions[0]
    },
    answer: answer('TaskResult', { anyOf: [vectors, array(number), teiRanks] }),
  },
]
