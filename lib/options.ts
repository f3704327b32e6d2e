// Options: their types, defaults and checks. No option has a default anywhere else.
import { misuse, refuseUnknown } from './errors.ts'
import type { Template } from './families.ts'
import type { PlaceOptions } from './models/places.ts'
import type { Transfer } from './models/retry.ts'
import { Pool } from './pool.ts'
import type { OnProgress } from './progress.ts'

/** How token rows become one vector. `none` keeps a row for each token. */
export type Pooling = 'last' | 'mean' | 'cls' | 'none'

/** What to do with a text longer than the model takes: reject it, or cut its end (the end token and the template survive). */
export type Truncate = 'error' | 'end'

/** What a text is to a search. Most families write the two in different ways. */
export type Role = 'query' | 'document'

/** A low-rank adapter (LoRA) in llama.cpp's GGUF form. */
export interface AdapterOptions {
  path: string
  /** How much of it: 0 is none, 1 what it was trained to be. @default 1 */
  scale?: number | undefined
  /**
   * Which texts of an embedder it changes. `query`: those of `embedQuery` and `embedQueries`, of `role: 'query'`, and
   * those with an instruction unless their role is `document`; documents keep the model's own vectors.
   * @default what the file says, else 'both'
   */
  side?: 'query' | 'both' | undefined
  /** Also take one that says it was made for another model, such as another quantisation of this one. @default false */
  anyBase?: boolean | undefined
}

export interface LoadOptions {
  /** Adapters that change the model while it runs: a path, or several. @default none */
  adapter?: string | AdapterOptions | readonly (string | AdapterOptions)[] | undefined
  /** Who computes. @default 'auto': our own pass where it knows the network (Qwen3, Qwen2, Llama, EuroBERT, BERT), else llama.cpp's. */
  engine?: 'auto' | 'packed' | 'generic' | undefined
  /** Threads of a pass. @default the physical cores this process may use, within its quota */
  threads?: number | undefined
  /**
   * A GPU backend, from the package `@node-llama-cpp/<platform>-<gpu>` that you install beside this one (on macOS
   * Metal is built in). @default false
   */
  gpu?: false | 'cuda' | 'vulkan' | 'metal' | undefined
  /**
   * What the GPU multiplies with: the file's own types, or weights made into 16 bits at load, which take more memory
   * (BF16 and F16: 2 bytes a parameter) and less time where a GPU has fast units for them. `'f16'` keeps the matrix down
   * of feed-forward blocks in BF16, or F32 where the GPU has none, since its products leave F16's range. Packed engine
   * on a GPU. @default 'file'
   */
  gpuWeights?: 'file' | 'bf16' | 'f16' | undefined
  /** Longest text, in tokens, end token included. @default what the file was trained for (generic engine: at most 8,192) */
  maxTokens?: number | undefined
  /** Tokens that one pass should hold. Larger packs share more; smaller ones answer sooner. @default 1,024 (generic: 512) */
  budget?: number | undefined
  /**
   * Texts that may wait at one time; further calls reject with ERR_QUEUE_FULL. Counting tokens takes no place.
   * @default 262,144
   */
  maxQueue?: number | undefined
  /**
   * Bytes for the keys and values of prefixes that come again (the instruction of every query, a reranker's query, a
   * header of many chunks), so that they are computed once; packed engine on a CPU. The same bits, sooner. 0 keeps none.
   * @default 67,108,864
   */
  prefixCache?: number | undefined
  /** CPU kernels: ours where they suit the machine, or ggml's. @default 'auto' */
  kernels?: string | undefined
  /**
   * Compute in a process of its own, so that no failure of native code takes this one along: calls that ran are run again
   * on a new process, or reject with ERR_PROCESS_DIED. Loads of the same file with the same options share one process.
   * In Electron's main process it is a utility process; within a utility process, which is isolated already, nothing
   * changes. @default false
   */
  isolation?: false | 'process' | IsolationOptions | undefined
  /** Milliseconds without a call after which the memory is given back; the next call loads again. @default never */
  idleMs?: number | undefined
  /** Memory that several models share: see `createPool`. */
  pool?: Pool | undefined
  /**
   * Keep the weights from being swapped out; what the system allows is told by `ulimit -l` (RLIMIT_MEMLOCK). Packed
   * engine on a CPU. @default false
   */
  lockMemory?: boolean | undefined
  /** How a model that is not on this disk is fetched. */
  download?: DownloadOptions | undefined
  /**
   * What stands before texts, where the model's family is not known or wants something else: `query` and `document`,
   * each ending in `{text}`. `{instruction}` in `query` stands for the call's. @default what the family wants
   */
  template?: Template | undefined
  /** Ends loading; the promise rejects with the signal's reason. */
  signal?: AbortSignal | undefined
  /** Called while the model is fetched (`phase: 'download'`, bytes) and while it is loaded (`phase: 'load'`). */
  onProgress?: OnProgress | undefined
}

/** A process for the model, and how it is kept. */
export interface IsolationOptions {
  /**
   * Run calls again, once, that ran when the process died: computing has no side effects. A call that was there at two
   * deaths rejects, with the fact `suspect`. @default true
   */
  retry?: boolean | undefined
  /** Restarts within one minute; then calls reject with ERR_PROCESS_DIED until it is over. @default 5 */
  maxRestarts?: number | undefined
  /** Resident bytes from which on the process is replaced by a new one between two calls. @default no limit */
  maxMemory?: number | undefined
  /** What the process runs, where it is not found beside this code: `dist/process/child.js` of this package. */
  entry?: string | undefined
  /** The Node that runs it. @default process.execPath */
  execPath?: string | undefined
}

/** How a model is loaded once more. */
export interface ReloadOptions {
  download?: DownloadOptions | undefined
  signal?: AbortSignal | undefined
  onProgress?: OnProgress | undefined
}

/** Where a model is fetched from, and how. */
export interface DownloadOptions extends PlaceOptions {
  transfer?: { [Key in keyof Transfer]?: Transfer[Key] | undefined } | undefined
}

export interface CallOptions {
  /** @default 'error': rejects with ERR_TEXT_TOO_LONG */
  truncate?: Truncate | undefined
  /** Ends the call; the promise rejects with the signal's reason. Other calls are untouched. */
  signal?: AbortSignal | undefined
  /** Called after each pass. What it throws ends the call and is what it rejects with. */
  onProgress?: OnProgress | undefined
  /**
   * `interactive` calls go before `bulk` ones, on a CPU even between the steps of a pass that runs already; bulk calls
   * keep a ninth of the time. @default by method
   */
  priority?: 'interactive' | 'bulk' | undefined
}

export interface EmbedOptions extends CallOptions {
  /** What the text is for, in English, as in `Given a question, retrieve …`. `''` means none. */
  instruction?: string | undefined
  /** Keep this many leading dimensions (Matryoshka), cut before normalising: 32 to the model's width. @default all */
  dimensions?: number | undefined
  /** @default what the file says; `last` for Qwen3 */
  pooling?: Pooling | undefined
  /**
   * Write the texts as the model's family writes queries or documents: what `embedQueries` and `embedDocuments` do.
   * @default by method; `embed` and `embedEach` take texts as they are
   */
  role?: Role | undefined
  /** Scale to unit length. @default true */
  normalize?: boolean | undefined
}

export interface RankOptions extends CallOptions {
  /** What "relevant" means here, in English. @default Qwen's web search sentence */
  instruction?: string | undefined
  /** `probability` is P(yes) in 0..1, `logit` is logit(yes) − logit(no). @default 'probability' */
  output?: 'probability' | 'logit' | undefined
}

export interface TopOptions extends RankOptions {
  /** Keep the best so many. @default all */
  topN?: number | undefined
}

export interface TokenOptions {
  instruction?: string | undefined
  /** As for {@link EmbedOptions}; a reranker has none. */
  role?: Role | undefined
  signal?: AbortSignal | undefined
}

/** A text, or the token ids of one. */
export type TextOrIds = string | Int32Array

const maxInt = 2 ** 31 - 1

type Check<T> = (value: unknown, name: string) => T
type Checks = Record<string, Check<unknown>>

const integer =
  (low: number, high: number): Check<number> =>
  (value, name) => {
    if (typeof value !== 'number')
      throw misuse(TypeError, `an integer from ${low} to ${high}`, name, value)
    if (!Number.isInteger(value) || value < low || value > high) {
      throw misuse(RangeError, `an integer from ${low} to ${high}`, name, value)
    }
    return value
  }

const oneOf =
  <const T extends readonly unknown[]>(...choices: T): Check<T[number]> =>
  (value, name) => {
    if (choices.includes(value)) return value
    throw misuse(
      TypeError,
      `one of ${choices.map((c) => JSON.stringify(c)).join(', ')}`,
      name,
      value,
    )
  }

const string: Check<string> = (value, name) => {
  if (typeof value === 'string') return value
  throw misuse(TypeError, 'a string', name, value)
}

const boolean: Check<boolean> = (value, name) => {
  if (typeof value === 'boolean') return value
  throw misuse(TypeError, 'a boolean', name, value)
}

const object: Check<object> = (value, name) => {
  if (typeof value === 'object' && value !== null) return value
  throw misuse(TypeError, 'an object', name, value)
}

const callback: Check<(...args: never[]) => void> = (value, name) => {
  if (typeof value === 'function') return value as () => void
  throw misuse(TypeError, 'a function', name, value)
}

/** Also of another realm, such as a test runner's. */
const signal: Check<AbortSignal> = (value, name) => {
  if (tagOf(value) === 'AbortSignal') return value as AbortSignal
  throw misuse(TypeError, 'an AbortSignal', name, value)
}

const known =
  (checks: Checks, what: string): Check<object> =>
  (value, name) =>
    check(object(value, name), checks, what)

/** The name of a built-in class, whatever realm the value is of. */
function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1)
}

const template: Check<string> = (value, name) => {
  if (typeof value === 'string' && value.indexOf('{text}') === value.length - '{text}'.length) {
    return value
  }
  throw misuse(TypeError, 'a string that ends in {text} and holds it once', name, value)
}

const pool: Check<Pool> = (value, name) => {
  if (value instanceof Pool) return value
  throw misuse(TypeError, 'what createPool returns', name, value)
}

const isolationChecks = {
  retry: boolean,
  maxRestarts: integer(0, 1000),
  maxMemory: integer(1, Number.MAX_SAFE_INTEGER),
  entry: string,
  execPath: string,
}

const isolation: Check<LoadOptions['isolation']> = (value, name) => {
  if (value === false || value === 'process') return value
  if (typeof value === 'object' && value !== null) {
    return known(isolationChecks, 'option of isolation')(value, name) as IsolationOptions
  }
  throw misuse(TypeError, "false, 'process' or an object", name, value)
}

const role = oneOf('query', 'document')
const pooling = oneOf('last', 'mean', 'cls', 'none')

const download = known(
  {
    cacheDir: string,
    endpoint: string,
    token: string,
    offline: boolean,
    // Read by the downloader itself.
    transfer: object,
  },
  'option of download',
)

const finite: Check<number> = (value, name) => {
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw misuse(TypeError, 'a finite number', name, value)
}

const adapterChecks = {
  path: string,
  scale: finite,
  side: oneOf('query', 'both'),
  anyBase: boolean,
}

const adapters: Check<unknown> = (value, name) => {
  for (const one of Array.isArray(value) ? value : [value]) {
    if (typeof one === 'string') continue
    const given = check<Partial<AdapterOptions>>(
      object(one, name),
      adapterChecks,
      `${name}: option`,
    )
    string(given.path, `${name}.path`)
  }
  return value
}

const loadChecks = {
  adapter: adapters,
  engine: oneOf('auto', 'packed', 'generic'),
  threads: integer(1, 512),
  gpu: oneOf(false, 'cuda', 'vulkan', 'metal'),
  gpuWeights: oneOf('file', 'bf16', 'f16'),
  maxTokens: integer(8, maxInt),
  budget: integer(16, 65_536),
  maxQueue: integer(1, maxInt),
  prefixCache: integer(0, maxInt),
  kernels: string,
  isolation,
  idleMs: integer(1, maxInt),
  pool,
  lockMemory: boolean,
  download,
  template: known({ query: template, document: template }, 'option of template'),
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
  role,
  normalize: boolean,
})
const rankChecks = { ...callChecks, instruction: string, output: oneOf('probability', 'logit') }
const topChecks = { ...rankChecks, topN: integer(1, maxInt) }

/** Throws on a wrong type or range, and on a name we do not know: a misspelt option must not be ignored. */
function check<T extends object>(given: unknown, checks: Checks, what = 'option'): T {
  if (given === undefined) return {} as T
  if (typeof given !== 'object' || given === null)
    throw misuse(TypeError, 'an object', 'options', given)
  refuseUnknown(given, Object.keys(checks), what)
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined) checks[name]!(value, `the option ${name}`)
  }
  return given as T
}

/** Options of a call, with the defaults of its method filled in. Keys left undefined take the default too. */
function fill<T extends object, D extends { [K in keyof D]: K extends keyof T ? T[K] : never }>(
  given: T,
  defaults: D,
) {
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  return { ...defaults, ...set } as unknown as Omit<T, keyof D> & {
    [K in keyof D]: K extends keyof T ? Exclude<T[K], undefined> : never
  }
}

export function readLoadOptions(given: unknown) {
  const { adapter = [], ...rest } = check<LoadOptions>(given, loadChecks)
  const adapters = [adapter].flat().map((one) => {
    const {
      path,
      scale = 1,
      side = '',
      anyBase = false,
    } = typeof one === 'string' ? { path: one } : one
    return { path, scale, side, anyBase }
  })
  return { adapters, ...readPlainLoadOptions(rest) }
}

function readPlainLoadOptions(given: LoadOptions) {
  const { gpu, gpuWeights } = given
  if (gpuWeights && gpuWeights !== 'file' && !gpu)
    throw misuse(
      TypeError,
      "'file', or a GPU by the option gpu,",
      'the option gpuWeights',
      gpuWeights,
    )
  return fill(given, {
    engine: 'auto',
    threads: 0,
    gpu: false,
    gpuWeights: 'file',
    maxTokens: 0,
    budget: 0,
    maxQueue: 262_144,
    prefixCache: 64 * 2 ** 20,
    kernels: 'auto',
    isolation: false,
    idleMs: 0,
    lockMemory: false,
  })
}

/** How a process is kept, if there is one. */
export function readIsolation(given: LoadOptions['isolation']) {
  if (!given) return undefined
  const {
    retry = true,
    maxRestarts = 5,
    maxMemory = Number.MAX_SAFE_INTEGER,
    entry,
    execPath,
  } = given === 'process' ? {} : given
  return { retry, maxRestarts, maxMemory, entry, execPath }
}

export function readWarmOptions(given: unknown): AbortSignal | undefined {
  return check<{ signal?: AbortSignal }>(given, { signal }).signal
}

export function readReloadOptions(given: unknown): ReloadOptions {
  return check(given, { download, signal, onProgress: callback })
}

/** What a model and a method make of options that are left out. */
export interface EmbedDefaults {
  readonly width: number
  readonly pooling: Pooling
  readonly priority: 'interactive' | 'bulk'
}

export function readEmbedOptions(given: unknown, { width, pooling, priority }: EmbedDefaults) {
  return fill(check<EmbedOptions>(given, embedChecks(width)), {
    truncate: 'error',
    priority,
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
  return check(given, { instruction: string, role, signal })
}

export function readText(value: unknown, name: string): string {
  return string(value, name)
}

// Loops by index, which map and every do not: a hole is a missing text.

export function readTexts(value: unknown, name: string): readonly string[] {
  if (!Array.isArray(value)) throw misuse(TypeError, 'an array of strings', name, value)
  for (let i = 0; i < value.length; i++) string(value[i], `${name}[${i}]`)
  return value
}

/** Texts, or the token ids of some; ids may come in any kind of array. */
export function readBodies(value: unknown, name: string): TextOrIds[] {
  if (!Array.isArray(value)) throw misuse(TypeError, 'an array of strings', name, value)
  return Array.from({ length: value.length }, (_, i) =>
    typeof value[i] === 'string' ? value[i] : readIds(value[i], `${name}[${i}]`),
  )
}

export function readIds(value: unknown, name: string): Int32Array {
  if (tagOf(value) === 'Int32Array') return value as Int32Array
  if (Array.isArray(value) && Array.from(value).every(isId)) return Int32Array.from(value)
  throw misuse(TypeError, 'a string or an array of token ids', name, value)
}

const isId = (id: unknown) =>
  Number.isInteger(id) && (id as number) >= 0 && (id as number) <= maxInt

export function readPairs(value: unknown): readonly (readonly [query: string, document: string])[] {
  if (!Array.isArray(value))
    throw misuse(TypeError, 'an array of [query, document]', 'pairs', value)
  for (let i = 0; i < value.length; i++) {
    const pair = value[i] as unknown
    if (Array.isArray(pair) && pair.length === 2 && Array.from(pair).every(isText)) continue
    throw misuse(TypeError, '[query, document], two strings', `pairs[${i}]`, pair)
  }
  return value
}

const isText = (text: unknown) => typeof text === 'string'
