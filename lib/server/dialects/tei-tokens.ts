// TEI's /tokenize and /decode.
import { failureOf } from '../admission.ts'
import { answer, array, count, flag, nullable, object, text } from '../answers.ts'
import { type Context, post, type Route } from '../context.ts'
import { type HttpResponse, json } from '../http/messages.ts'
import { purposeFields, purposeOf } from '../instruction.ts'
import { RequestError } from '../request-error.ts'
import {
  body,
  boolean,
  either,
  integer,
  isList,
  isString,
  list,
  optional,
  required,
  string,
  type Values,
  wrong,
} from '../schema.ts'
import { type Spelling, spellingOf } from '../token-offsets.ts'

/** Characters of all texts, or ids, of one request: pieces are made one by one. */
const maxSize = 1 << 17

const model = optional(string, 'Default: the first embedder.')
const tokenizeBody = body('TeiTokenizeRequest', {
  ...purposeFields,
  model,
  inputs: required(
    either('a string or a list of strings', [isString, string], [isList, list(string, 'batch')]),
  ),
  add_special_tokens: optional(boolean, 'Default: true.'),
})
const ids = list(integer(0))
const holdsLists = (value: unknown) => Array.isArray(value) && Array.isArray(value[0])
const decodeBody = body('TeiDecodeRequest', {
  model,
  ids: required(
    either(
      'a list of token ids, or a list of such lists',
      [holdsLists, list(ids, 'batch')],
      [isList, ids],
    ),
  ),
  skip_special_tokens: optional(boolean, 'Default: true.'),
})

async function tokenize(
  context: Context,
  values: Values<typeof tokenizeBody.fields>,
): Promise<HttpResponse> {
  const served = await context.models.embedder(values.model, context.onEnd)
  const texts = [values.inputs].flat()
  checkSize(
    texts.reduce((sum, { length }) => sum + length, 0),
    'inputs',
  )
  const { usage, signal } = context
  const purpose = purposeOf(values, served)
  const spelling = spellingOf(served)
  usage.model = served.name
  usage.texts = texts.length
  try {
    const lists = []
    for (const one of texts) {
      const pieces = await spelling.pieces(
        await served.model.tokenize(one, { ...purpose, signal }),
        signal,
      )
      const withSpecial = values.add_special_tokens ?? true
      lists.push(withSpecial ? pieces : pieces.filter(({ special }) => !special))
    }
    return json(lists)
  } catch (error) {
    throw failureOf(error, served, context, 'inputs')
  }
}

async function decode(
  context: Context,
  values: Values<typeof decodeBody.fields>,
): Promise<HttpResponse> {
  const served = await context.models.embedder(values.model, context.onEnd)
  const lists = (holdsLists(values.ids) ? values.ids : [values.ids]) as number[][]
  const { vocabulary } = served.model.info
  for (const [i, one] of lists.entries()) {
    const wrongId = one.find((id) => id >= vocabulary)
    if (wrongId !== undefined) wrong(`a token id from 0 to ${vocabulary - 1}`, `ids[${i}]`, wrongId)
  }
  checkSize(
    lists.reduce((sum, { length }) => sum + length, 0),
    'ids',
  )
  const skips = values.skip_special_tokens ?? true
  const spelling = spellingOf(served)
  context.usage.model = served.name
  context.usage.texts = lists.length
  try {
    const texts = []
    for (const one of lists) {
      const special = skips ? await specialOf(one, spelling) : new Set()
      texts.push(await served.model.detokenize(one.filter((id) => !special.has(id))))
    }
    return json(texts)
  } catch (error) {
    throw failureOf(error, served, context, 'ids')
  }
}

async function specialOf(some: readonly number[], spelling: Spelling): Promise<Set<number>> {
  const distinct = [...new Set(some)]
  const are = await Promise.all(distinct.map((id) => spelling.isSpecial(id)))
  return new Set(distinct.filter((_, i) => are[i]))
}

function checkSize(size: number, param: string): void {
  if (size <= maxSize) return
  const message = `Expected at most ${maxSize} characters or ids but received ${size}`
  throw new RequestError('too_many_tokens', message, { param })
}

const piece = object({
  id: count,
  text,
  special: flag,
  start: nullable(count),
  stop: nullable(count),
})

export const teiTokenRoutes: readonly Route[] = [
  post(
    {
      paths: ['/tokenize'],
      id: 'teiTokenize',
      dialect: 'tei',
      summary: 'Texts to tokens with their places',
      answer: answer('Tokens', array(array(piece))),
    },
    tokenizeBody,
    tokenize,
  ),
  post(
    {
      paths: ['/decode'],
      id: 'teiDecode',
      dialect: 'tei',
      summary: 'Token ids to texts',
      answer: answer('Texts', array(text)),
    },
    decodeBody,
    decode,
  ),
]
