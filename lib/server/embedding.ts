// Texts to vectors, for every dialect.
import type { EmbedOptions, Pooling, Truncate } from '../index.ts'
import { type Fields, wrong } from './fields.ts'
import { Refusal } from './refusal.ts'
import type { ServedEmbedder } from './served.ts'
import type { Tally } from './visit.ts'
import {
  checkBatch,
  checkTokens,
  failureOf,
  type Priority,
  priorityOf,
  type Text,
  watchFirstPass,
} from './work.ts'

export interface EmbedWork {
  texts: Text[]
  /** The field that held the texts. */
  param: string
  instruction: string
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
  tally: Tally,
): Promise<Float32Array[]> {
  const { model } = served
  const { texts, instruction, param } = work
  const { signal, limits } = tally
  tally.model = served.name
  tally.texts = texts.length
  for (const text of texts) tally.characters += text.length
  tally.dimensions = work.dimensions ?? model.dimensions
  try {
    await checkTokens(
      texts,
      (text) => model.countTokens(text, { instruction }),
      {
        ofText: work.truncate === 'end' ? null : model.maxTokens,
        ofRequest: Math.min(limits.requestTokens, work.mostTokens ?? limits.requestTokens),
      },
      { around: Buffer.byteLength(instruction) + 16, param, signal },
    )
    const items = await model.embedEach(texts, callOptions(served, work, tally))
    served.finished += texts.length
    return items.map(({ vector, tokens, cut, error }) => {
      if (error) throw error
      tally.tokens += tokens - cut
      tally.cut += cut
      return vector!
    })
  } catch (error) {
    throw failureOf(error, served, tally, param)
  }
}

function callOptions(served: ServedEmbedder, work: EmbedWork, tally: Tally): EmbedOptions {
  const { dimensions, normalize, pooling } = work
  return {
    instruction: work.instruction,
    truncate: work.truncate,
    priority: work.priority ?? priorityOf(work.texts, served, tally.limits),
    signal: tally.signal,
    onProgress: watchFirstPass(tally),
    ...(dimensions === undefined ? {} : { dimensions }),
    ...(normalize === undefined ? {} : { normalize }),
    ...(pooling === undefined ? {} : { pooling }),
  }
}

/** A text, its token ids, or a list of either; `isList` tells one from a list of one. */
export function readTexts(
  fields: Fields,
  param: string,
  served: ServedEmbedder,
  tally: Tally,
): { texts: Text[]; isList: boolean } {
  const given = fields.required(param)
  if (typeof given === 'string') return { texts: [given], isList: false }
  const list = fields.list(param)
  if (typeof list[0] === 'number') {
    return { texts: [readIds(list, param, served)], isList: false }
  }
  checkBatch(list.length, param, tally.limits)
  const texts = list.map((item, i) => {
    if (typeof item === 'string') return item
    if (Array.isArray(item)) return readIds(item, `${param}[${i}]`, served)
    return wrong('a string or an array of token ids', `${param}[${i}]`, item)
  })
  return { texts, isList: true }
}

function readIds(ids: readonly unknown[], name: string, { model }: ServedEmbedder): Int32Array {
  const param = name.replace(/\[.*/s, '')
  if (ids.length === 0) throw new Refusal('empty', `${name} cannot be empty`, { param })
  const { vocabulary } = model.info
  for (const [i, id] of ids.entries()) {
    if (Number.isInteger(id) && (id as number) >= 0 && (id as number) < vocabulary) continue
    wrong(`a token id from 0 to ${vocabulary - 1}`, `${name}[${i}]`, id)
  }
  return Int32Array.from(ids as number[])
}

export function readDimensions(fields: Fields, served: ServedEmbedder, name: string) {
  const width = served.model.dimensions
  return fields.integer(name, Math.min(32, width), width)
}

export function readPriority(fields: Fields): Priority | undefined {
  // Cohere's is a number: 0 is the default and the first.
  if (typeof fields.raw('priority') !== 'number') {
    return fields.choice('priority', ['interactive', 'bulk'])
  }
  return fields.integer('priority', 0, 999)! > 0 ? 'bulk' : undefined
}
