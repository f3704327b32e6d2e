// TEI's /embed, /embed_all and /similarity, and `POST /`, which is what Hugging Face's clients send to an endpoint.
import { similarity } from '../index.ts'
import type { Call, Route } from './call.ts'
import { embed, readDimensions, readPriority, readTexts } from './embedding.ts'
import { type Answer, commas, json, jsonList, jsonParts } from './exchange.ts'
import { Fields, wrong } from './fields.ts'
import { readInstruction } from './purpose.ts'
import { readTruncate } from './tei-fields.ts'
import { teiRerank } from './tei-rerank.ts'
import { floatsJson, rowsOf } from './vector-json.ts'
import { checkBatch } from './work.ts'

async function embedInputs(call: Call, fields: Fields): Promise<Answer> {
  const served = call.models.embedder(fields.string('model'))
  const { texts } = readTexts(fields, 'inputs', served, call.tally)
  const vectors = await embed(
    served,
    {
      texts,
      param: 'inputs',
      instruction: readInstruction(fields, served),
      truncate: readTruncate(fields, call),
      dimensions: readDimensions(fields, served, 'dimensions'),
      normalize: fields.boolean('normalize'),
      priority: readPriority(fields),
    },
    call.tally,
  )
  return jsonList('[', mapped(vectors, floatsJson), ']')
}

/** Values of an answer to /embed_all, which is (tokens × dimensions): 64 MiB of them. */
const maxValues = 16 << 20

async function embedAll(call: Call, fields: Fields): Promise<Answer> {
  const served = call.models.embedder(fields.string('model'))
  const { texts } = readTexts(fields, 'inputs', served, call.tally)
  const width = served.model.dimensions
  const matrices = await embed(
    served,
    {
      texts,
      param: 'inputs',
      instruction: readInstruction(fields, served),
      truncate: readTruncate(fields, call),
      pooling: 'none',
      normalize: false,
      mostTokens: Math.floor(maxValues / width),
    },
    call.tally,
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

async function similarities(call: Call, fields: Fields): Promise<Answer> {
  const served = call.models.embedder(fields.string('model'))
  const inputs = fields.object('inputs')
  const parameters = fields.has('parameters') ? fields.object('parameters') : new Fields({})
  const sentences = inputs.strings('sentences')
  checkBatch(sentences.length, 'sentences', call.tally.limits)
  const [source, ...vectors] = await embed(
    served,
    {
      texts: [inputs.requiredString('source_sentence'), ...sentences],
      param: 'inputs',
      instruction: readInstruction(parameters, served),
      truncate: readTruncate(parameters, call),
    },
    call.tally,
  )
  return json(vectors.map((vector) => similarity(source!, vector)))
}

/** One path for every task: the body says which. */
function predict(call: Call, fields: Fields): Promise<Answer> {
  if (fields.has('texts')) return teiRerank(call, fields)
  const inputs = fields.required('inputs')
  if (typeof inputs !== 'object' || Array.isArray(inputs)) return embedInputs(call, fields)
  if (fields.object('inputs').has('source_sentence')) return similarities(call, fields)
  return wrong('a string, an array, or {source_sentence, sentences}', 'inputs', inputs)
}

function* mapped<T, U>(items: Iterable<T>, change: (item: T) => U): Generator<U> {
  for (const item of items) yield change(item)
}

export const teiEmbedRoutes: readonly Route[] = [
  {
    method: 'POST',
    paths: ['/embed'],
    dialect: 'tei',
    summary: 'Texts or token ids to vectors, as TEI does it',
    run: embedInputs,
  },
  {
    method: 'POST',
    paths: ['/embed_all'],
    dialect: 'tei',
    summary: 'A vector for each token',
    run: embedAll,
  },
  {
    method: 'POST',
    paths: ['/similarity'],
    dialect: 'tei',
    summary: 'Cosine similarity of one sentence with others',
    run: similarities,
  },
  {
    method: 'POST',
    paths: ['/'],
    dialect: 'tei',
    summary: "Hugging Face's clients: vectors, similarities or ranks, as the body says",
    run: predict,
  },
]
