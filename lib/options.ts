// Options: their types, defaults and checks. No option has a default anywhere else.
import { expected } from './errors.ts'
import type { ResolveOptions } from './models/resolve.ts'

/** How token rows become one vector. `none` keeps a row for each token. */
export type Pooling = 'last' | 'mean' | 'cls' | 'none'

/** What to do with a text longer than the model takes: reject it, or cut its end (the end token and the template survive). */
export type Truncate = 'error' | 'end'

export interface LoadOptions {
  /** Who computes. @default 'auto': our own pass for Qwen3, llama.cpp's for every other architecture. */
  engine?: 'auto' | 'packed' | 'generic'
  /** Threads of a pass. @default the machine's physical cores */
  threads?: number
  /**
   * A GPU backend, from the package `@node-llama-cpp/<platform>-<gpu>` that you install beside this one (on macOS
   * Metal is built in). @default false
   */
  gpu?: false | 'cuda' | 'vulkan' | 'metal'
  /** Longest text, in tokens, end token included. @default what the file was trained for (generic engine: at most 8,192) */
  maxTokens?: number
  /** Tokens that one pass should hold. Larger packs share more; smaller ones answer sooner. @default 1,024 (generic: 512) */
  budget?: number
  /**
   * Texts that may wait at one time; further calls reject with ERR_QUEUE_FULL. Counting tokens takes no place.
   * @default 262,144
   */
  maxQueue?: number
  /**
   * Bytes for the keys and values of prefixes that come again (the instruction of every query, a reranker's query, a
   * header of many chunks), so that they are computed once; packed engine on a CPU. The same bits, sooner. 0 keeps none.
   * @default 67,108,864
   */
  prefixCache?: number
  /** CPU kernels: ours where they suit the machine, or ggml's. @default 'auto' */
  kernels?: string
  /** How a model that is not on this disk is fetched: `offline`, `cacheDir`, `token`, `endpoint`, `onProgress` in bytes. */
  download?: ResolveOptions
  /** Ends loading; the promise rejects with the signal's reason. */
  signal?: AbortSignal
  /** Called with 0..1 while loading. */
  onProgress?: (fraction: number) => void
}

export interface CallOptions {
  /** @default 'error': rejects with ERR_TEXT_TOO_LONG */
  truncate?: Truncate
  /** Ends the call; the promise rejects with the signal's reason. Other calls are untouched. */
  signal?: AbortSignal
  /** Called after each pass with the texts done and all texts of the call. */
  onProgress?: (done: number, total: number) => void
  /**
   * `interactive` calls go before `bulk` ones, on a CPU even between the steps of a pass that runs already; bulk calls
   * keep a ninth of the time. @default by method
   */
  priority?: 'interactive' | 'bulk'
}

export interface EmbedOptions extends CallOptions {
  /** What the text is for, in English, as in `Given a question, retrieve …`. `''` means none. */
  instruction?: string
  /** Keep this many leading dimensions (Matryoshka), cut before normalising: 32 to the model's width. @default all */
  dimensions?: number
  /** @default what the file says; `last` for Qwen3 */
  pooling?: Pooling
  /** Scale to unit length. @default true */
  normalize?: boolean
}

export interface RankOptions extends CallOptions {
  /** What "relevant" means here, in English. @default Qwen's web search sentence */
  instruction?: string
  /** `probability` is P(yes) in 0..1, `logit` is logit(yes) − logit(no). @default 'probability' */
  output?: 'probability' | 'logit'
}

export interface TopOptions extends RankOptions {
  /** Keep the best so many. @default all */
  topN?: number
}

export interface TokenOptions {
  instruction?: string
  signal?: AbortSignal
}

type Check<T> = (value: unknown, name: string) => T

const integer =
  (low: number, high: number): Check<number> =>
  (value, name) => {
    if (typeof value !== 'number')
      throw new TypeError(expected(`an integer from ${low} to ${high}`, name, value))
    if (!Number.isInteger(value) || value < low || value > high) {
      throw new RangeError(expected(`an integer from ${low} to ${high}`, name, value))
    }
    return value
  }

const oneOf =
  <const T extends readonly unknown[]>(...choices: T): Check<T[number]> =>
  (value, name) => {
    if (choices.includes(value)) return value
    throw new TypeError(
      expected(`one of ${choices.map((c) => JSON.stringify(c)).join(', ')}`, name, value),
    )
  }

const string: Check<string> = (value, name) => {
  if (typeof value === 'string') return value
  throw new TypeError(expected('a string', name, value))
}

const boolean: Check<boolean> = (value, name) => {
  if (typeof value === 'boolean') return value
  throw new TypeError(expected('a boolean', name, value))
}

const object: Check<object> = (value, name) => {
  if (typeof value === 'object' && value !== null) return value
  throw new TypeError(expected('an object', name, value))
}

const callback: Check<(...args: never[]) => void> = (value, name) => {
  if (typeof value === 'function') return value as () => void
  throw new TypeError(expected('a function', name, value))
}

const signal: Check<AbortSignal> = (value, name) => {
  if (value instanceof AbortSignal) return value
  throw new TypeError(expected('an AbortSignal', name, value))
}

const pooling = oneOf('last', 'mean', 'cls', 'none')
const maxInt = 2 ** 31 - 1

const loadChecks = {
  engine: oneOf('auto', 'packed', 'generic'),
  threads: integer(1, 512),
  gpu: oneOf(false, 'cuda', 'vulkan', 'metal'),
  maxTokens: integer(8, maxInt),
  budget: integer(16, 65_536),
  maxQueue: integer(1, maxInt),
  prefixCache: integer(0, maxInt),
  kernels: string,
  download: object,
  signal,
  onProgress: callback,
}
const callChecks = {
  truncate: oneOf('error', 'end'),
  signal,
  onProgress: callback,
  priority: oneOf('interactive', 'bulk'),
}
const embedChecks = (width: number) => ({
  ...callChecks,
  instruction: string,
  dimensions: integer(Math.min(32, width), width),
  pooling,
  normalize: boolean,
})
const rankChecks = { ...callChecks, instruction: string, output: oneOf('probability', 'logit') }
const topChecks = { ...rankChecks, topN: integer(1, maxInt) }

/** Throws on a wrong type or range, and on a name we do not know: a misspelt option must not be ignored. */
function check<T extends object>(given: unknown, checks: Record<string, Check<unknown>>): T {
  if (given === undefined) return {} as T
  if (typeof given !== 'object' || given === null)
    throw new TypeError(expected('an object', 'options', given))
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(checks, name)) {
      const known = Object.keys(checks).join(', ')
      throw new TypeError(`Unknown option ${JSON.stringify(name)}. Known here: ${known}.`)
    }
    if (value !== undefined) checks[name]!(value, `the option ${name}`)
  }
  return given as T
}

/** Options of a call, with the defaults of its method filled in. Keys left undefined take the default too. */
function fill<T extends object, K extends keyof T>(given: T, defaults: Required<Pick<T, K>>) {
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  return { ...defaults, ...set } as Omit<T, K> & Required<Pick<T, K>>
}

export function readLoadOptions(given: unknown) {
  return fill(check<LoadOptions>(given, loadChecks), {
    engine: 'auto',
    threads: 0,
    gpu: false,
    maxTokens: 0,
    budget: 0,
    maxQueue: 262_144,
    prefixCache: 64 * 2 ** 20,
    kernels: 'auto',
  })
}

/** `method` holds what one method's defaults change: its instruction, its priority. */
export function readEmbedOptions(
  given: unknown,
  { width, pooling, method }: { width: number; pooling: Pooling; method: Partial<EmbedOptions> },
) {
  return fill(check<EmbedOptions>(given, embedChecks(width)), {
    instruction: method.instruction ?? '',
    truncate: 'error',
    priority: method.priority ?? 'bulk',
    dimensions: width,
    pooling,
    normalize: true,
  })
}

export function readRankOptions(given: unknown, instruction: string) {
  return fill(check<RankOptions>(given, rankChecks), {
    instruction,
    truncate: 'error',
    priority: 'interactive',
    output: 'probability',
  })
}

export function readTopOptions(given: unknown) {
  const { topN, ...rest } = check<TopOptions>(given, topChecks)
  return { topN: topN ?? maxInt, rest }
}

export function readTokenOptions(given: unknown): TokenOptions {
  return check(given, { instruction: string, signal })
}

export function readText(value: unknown, name: string): string {
  return string(value, name)
}

export function readTexts(value: unknown, name: string): string[] {
  if (!Array.isArray(value)) throw new TypeError(expected('an array of strings', name, value))
  for (let i = 0; i < value.length; i++) {
    if (typeof value[i] !== 'string')
      throw new TypeError(expected('a string', `${name}[${i}]`, value[i]))
  }
  return value as string[]
}

/** Texts, or the token ids of some; ids may come in any kind of array. */
export function readBodies(value: unknown, name: string): (string | Int32Array)[] {
  if (!Array.isArray(value)) throw new TypeError(expected('an array of strings', name, value))
  return value.map((body: unknown, i) => {
    return typeof body === 'string' ? body : readIds(body, `${name}[${i}]`)
  })
}

export function readIds(value: unknown, name: string): Int32Array {
  if (value instanceof Int32Array) return value
  if (Array.isArray(value) && value.every(isId)) return Int32Array.from(value)
  throw new TypeError(expected('a string or an array of token ids', name, value))
}

const isId = (id: unknown) =>
  Number.isInteger(id) && (id as number) >= 0 && (id as number) <= maxInt

export function readPairs(value: unknown): [query: string, document: string][] {
  if (!Array.isArray(value))
    throw new TypeError(expected('an array of [query, document]', 'pairs', value))
  for (let i = 0; i < value.length; i++) {
    const pair = value[i] as unknown
    if (
      !Array.isArray(pair) ||
      pair.length !== 2 ||
      pair.some((text) => typeof text !== 'string')
    ) {
      throw new TypeError(expected('[query, document], two strings', `pairs[${i}]`, pair))
    }
  }
  return value as [string, string][]
}
