// What an index may be told, checked before anything is done.
import { misuse, refuseUnknown } from '../errors.ts'
import type { Embedder, LoadOptions, OnProgress, Reranker } from '../index.ts'
import { anyGlob } from './glob.ts'
import { type Filters, type Kind, kinds, type Rules } from './types.ts'

export interface IndexOptions {
  /**
   * Whose vectors are searched. What you load yourself you close yourself.
   * @default the model that the index was made with, `'mini'` for a new one
   */
  embedder?: string | Embedder | undefined
  /** Stands in while passages have no vector of the embedder yet; null for none. @default 'mini' */
  standIn?: string | Embedder | null | undefined
  reranker?: string | Reranker | undefined
  /** Only search. @default false */
  readOnly?: boolean | undefined
  /** Make the file where there is none. @default true */
  create?: boolean | undefined
  /** How models given by name are loaded. */
  load?: LoadOptions | undefined
}

export interface UpdateOptions {
  signal?: AbortSignal | undefined
  /** Phases `walk`, `read`, `embed`. */
  onProgress?: OnProgress | undefined
  /** Compute vectors too, not words alone. @default true */
  vectors?: boolean | undefined
  /** Take files out even if more than half of a folder is gone. @default false */
  takeOutMost?: boolean | undefined
  /** Wait for another process that is indexing, rather than throw `ERR_INDEX_BUSY`. @default true */
  wait?: boolean | undefined
}

export interface SearchOptions extends Filters {
  /** @default 10 */
  limit?: number | undefined
  /** Passages of one file at most. @default 3 */
  perFile?: number | undefined
  /** Weight of the meaning, from 0 (words alone) to 1 (meaning alone). @default by the question, mostly 0.5 */
  alpha?: number | undefined
  /** What the question is for, in English. @default the index's own, else the model's */
  instruction?: string | undefined
  /** Let the reranker put the best in order. @default false */
  rerank?: boolean | undefined
  /** Milliseconds for it. @default 1500 */
  patience?: number | undefined
  /** Wait for the embedder to be loaded, rather than answer with what stands in for it. @default true */
  wait?: boolean | undefined
  /** Characters that neighbouring passages are joined up to. @default 2400 */
  longest?: number | undefined
  /** Reciprocal ranks in place of scores, for comparison. @default 'scores' */
  fusion?: 'scores' | 'ranks' | undefined
  signal?: AbortSignal | undefined
}

export interface Document {
  /** Its name; another one of the same name is replaced. */
  path: string
  text: string
  title?: string | undefined
  /** @default 'markdown' */
  kind?: 'markdown' | 'text' | 'code' | 'table' | undefined
  /** Milliseconds since 1970. @default now */
  date?: number | undefined
}

type Check = (value: unknown, name: string) => void

const number =
  (low: number, high: number, whole: boolean): Check =>
  (value, name) => {
    const isFine = typeof value === 'number' && value >= low && value <= high
    if (isFine && (!whole || Number.isInteger(value))) return
    const range = high === Number.MAX_SAFE_INTEGER ? `of at least ${low}` : `from ${low} to ${high}`
    throw misuse(
      typeof value === 'number' ? RangeError : TypeError,
      `${whole ? 'an integer' : 'a number'} ${range}`,
      name,
      value,
    )
  }
const kindOf =
  (type: 'string' | 'boolean' | 'function' | 'object'): Check =>
  (value, name) => {
    if (typeof value === type && value !== null) return
    throw misuse(TypeError, `a value of type ${type}`, name, value)
  }
const globs: Check = (value, name) => {
  if (Array.isArray(value) && value.every((one) => typeof one === 'string' && one !== '')) {
    anyGlob(value as string[])
    return
  }
  throw misuse(TypeError, 'globs such as notes/**/*.md in an array', name, value)
}
const kindList: Check = (value, name) => {
  if (Array.isArray(value) && value.every((one) => kinds.includes(one as Kind))) return
  throw misuse(TypeError, `an array of ${kinds.join(', ')}`, name, value)
}
const time = number(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, false)
const model: Check = (value, name) => {
  if (typeof value === 'string' ? value !== '' : typeof value === 'object' && value !== null) return
  throw misuse(TypeError, 'the name of a model, or a loaded one,', name, value)
}
const fusion: Check = (value, name) => {
  if (value !== 'scores' && value !== 'ranks')
    throw misuse(TypeError, "'scores' or 'ranks'", name, value)
}
const anything: Check = () => {}
const most = Number.MAX_SAFE_INTEGER

const checks: Record<string, Record<string, Check>> = {
  index: {
    embedder: model,
    standIn: (value, name) => value === null || model(value, name),
    reranker: model,
    readOnly: kindOf('boolean'),
    create: kindOf('boolean'),
    load: kindOf('object'),
  },
  update: {
    signal: kindOf('object'),
    onProgress: kindOf('function'),
    vectors: kindOf('boolean'),
    takeOutMost: kindOf('boolean'),
    wait: kindOf('boolean'),
  },
  search: {
    limit: number(1, 1_000, true),
    perFile: number(1, 1_000, true),
    alpha: number(0, 1, false),
    instruction: kindOf('string'),
    rerank: kindOf('boolean'),
    patience: number(1, 600_000, false),
    wait: kindOf('boolean'),
    longest: number(100, 100_000, true),
    fusion,
    signal: kindOf('object'),
    in: globs,
    types: kindList,
    since: time,
    until: time,
  },
  rules: {
    include: globs,
    exclude: globs,
    hidden: kindOf('boolean'),
    ignoreFiles: kindOf('boolean'),
    maxFile: number(1, most, true),
  },
  document: {
    path: kindOf('string'),
    text: kindOf('string'),
    title: kindOf('string'),
    kind: anything,
    date: time,
  },
}

/** @throws TypeError, RangeError for what makes no sense, and for names that mean nothing */
export function checked<T extends object>(given: T, what: keyof typeof checks & string): T {
  if (typeof given !== 'object' || given === null)
    throw misuse(TypeError, 'an object', `the ${what} options`, given)
  const known = checks[what]!
  refuseUnknown(given, Object.keys(known), 'option')
  for (const [name, value] of Object.entries(given))
    if (value !== undefined) known[name]!(value, `the option ${name}`)
  return given
}

export function checkedRules(given: Rules): Rules {
  return checked(given, 'rules')
}
