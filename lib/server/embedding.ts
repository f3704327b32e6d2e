// Texts to vectors, for every dialect.
import type { Pooling, TextOrIds, Truncate } from '../index.ts'
import {
  checkBatch,
  checkTokens,
  failureOf,
  type Priority,
  priorityOf,
  watchFirstPass,
} from './admission.ts'
import type { Context } from './context.ts'
import type { Purpose } from './instruction.ts'
import type { ServedEmbedder } from './models.ts'
import { RequestError } from './request-error.ts'
import {
  choice,
  either,
  integer,
  isList,
  isNumber,
  isString,
  list,
  optional,
  string,
  type Type,
  wrong,
} from './schema.ts'

export interface EmbedWork {
  texts: readonly TextOrIds[]
  /** The field that held the texts. */
  param: string
  purpose: Purpose
  truncate: Truncate
  dimensions?: number | undefined
  normalize?: boolean | undefined
  pooling?: Pooling | undefined
  priority?: Priority | undefined
  /** Tokens of all texts, where that is less than the limit of a request. */
  mostTokens?: number | undefined
}

/** The vectors, in the order of the texts; of `pooling: 'none'`, (tokens × dimensions) each. */
export async function embed(
  served: ServedEmbedder,
  work: EmbedWork,
  context: Context,
): Promise<Float32Array[]> {
  const { model } = served
  const { texts, purpose, param, dimensions, normalize, pooling, truncate } = work
  const { signal, limits, usage } = context
  checkBatch(texts.length, param, limits)
  checkDimensions(dimensions, served)
  usage.model = served.name
  usage.texts = texts.length
  for (const text of texts) usage.characters += text.length
  usage.dimensions = dimensions ?? model.dimensions
  try {
    await checkTokens(
      texts,
      (some) => model.countTokens(some, { ...purpose, signal }),
      {
        ofText: truncate === 'end' ? null : model.maxTokens,
        ofRequest: Math.min(limits.requestTokens, work.mostTokens ?? limits.requestTokens),
      },
      { around: Buffer.byteLength(purpose.instruction ?? '') + longestPrefix, param, signal },
    )
    const items = await model.embedEach(texts, {
      ...purpose,
      truncate,
      dimensions,
      normalize,
      pooling,
      priority: work.priority ?? priorityOf(texts, served, limits),
      signal,
      onProgress: watchFirstPass(usage),
    })
    served.finished += texts.length
    return items.map(({ vector, tokens, cut, error }) => {
      if (error) throw error
      usage.tokens += tokens - cut
      usage.cut += cut
      return vector
    })
  } catch (error) {
    throw failureOf(error, served, context, param)
  }
}

/** Upper bound of the tokens that a family puts around a text besides an instruction. */
const longestPrefix = 128

function checkDimensions(dimensions: number | undefined, { model }: ServedEmbedder): void {
  const [least, most] = [Math.min(32, model.dimensions), model.dimensions]
  if (dimensions === undefined || (dimensions >= least && dimensions <= most)) return
  wrong(`an integer from ${least} to ${most}`, 'dimensions', dimensions)
}

/** Matryoshka: the first so many, scaled anew. */
export const dimensions = integer(32)

const ids: Type<Int32Array> = {
  read: (value, name) => {
    const read = list(integer(0, 2 ** 31 - 1)).read(value, name)
    return Int32Array.from(read)
  },
  describe: (limits) => list(integer(0)).describe(limits),
}

const startsWithNumber = (value: unknown) => isList(value) && isNumber((value as unknown[])[0])

/** A text, its token ids, or a list of either. */
export const textsOrIds = either(
  'a string, a list of strings, or token ids',
  [isString, string],
  [startsWithNumber, ids],
  [
    isList,
    list(either('a string or an array of token ids', [isString, string], [isList, ids]), 'batch'),
  ],
)

export type GivenTexts = string | Int32Array | (string | Int32Array)[]

/** The texts of a request, and whether ids among them are those of this model. */
export function textsOf(given: GivenTexts, param: string, served: ServedEmbedder): TextOrIds[] {
  const texts = Array.isArray(given) ? given : [given]
  const { vocabulary } = served.model.info
  for (const [i, text] of texts.entries()) {
    if (typeof text === 'string') continue
    const at = text.findIndex((id) => id >= vocabulary)
    if (at >= 0) wrong(`a token id from 0 to ${vocabulary - 1}`, `${param}[${i}][${at}]`, text[at])
  }
  return texts
}

/** Ids of another tokenizer look like ids of this one, and give vectors that look like good ones. */
export function refuseIds(texts: readonly TextOrIds[], param: string, { settings }: Context): void {
  if (settings.tokenIds || texts.every((text) => typeof text === 'string')) return
  throw new RequestError(
    'invalid',
    `${param} holds token ids, which are mostly those of OpenAI's tokenizer and mean nothing to this model. Send ` +
      'text (LangChain for Python: check_embedding_ctx_length=False), or start the server with --allow-token-ids if ' +
      "they are this model's own.",
    { param },
  )
}

const priorityNames = choice('interactive', 'bulk')

/** Cohere's and vLLM's is a number: 0 is the default and the first. */
export const priority: Type<Priority | undefined> = {
  read(value, name) {
    if (typeof value !== 'number') return priorityNames.read(value, name)
    return integer(-1_000_000, 1_000_000).read(value, name) > 0 ? 'bulk' : undefined
  },
  describe: () => ({ anyOf: [{ enum: ['interactive', 'bulk', null] }, { type: 'integer' }] }),
}

export const commonFields = {
  model: optional(string, 'Default: the first one that fits.'),
  priority: optional(
    priority,
    'interactive goes before bulk. Default: by size. Of numbers, 0 goes first.',
  ),
}
