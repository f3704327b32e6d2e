// What the handler and the server may be told, with the defaults. No limit has a default anywhere else.
import type { Embedder, Ranges, Reranker } from '../index.ts'
import type { LogLine } from './log.ts'

export interface HandlerOptions {
  /**
   * Loaded models by the names that clients use; one model may have several names. The first embedder and the first
   * reranker answer requests that name none. They stay yours: closing the handler does not close them.
   */
  models: Record<string, Embedder | Reranker>
  /** API keys, any of which lets a request in. @default none: everybody may ask */
  keys?: readonly string[] | undefined
  /** Instructions by name, for `prompt_name` and `input_type`. @default query: Qwen3's for its models, document: none */
  prompts?: Record<string, string> | undefined
  /** What happens to texts that are too long where the request does not say: cut, or refused. @default false */
  autoTruncate?: boolean | undefined
  /** Spans of int8 and uint8 vectors by model name. @default `unitRanges` */
  ranges?: Record<string, Ranges> | undefined
  /** Origins whose pages may call this server from a browser, or `'*'`. @default none */
  corsOrigins?: readonly string[] | '*' | undefined
  /** Host names that requests must ask for: what stops other sites' pages from reaching a server on localhost. @default any */
  hosts?: readonly string[] | undefined
  /** Path that everything is under, as in `/api/models`. @default '' */
  basePath?: string | undefined
  /** Serve the page at `/`. @default true */
  page?: boolean | undefined
  /** One call for each answered request. It holds no text of a user. */
  log?: ((line: LogLine) => void) | undefined
  /** Spans through `@opentelemetry/api`, which you install. @default false */
  tracing?: boolean | undefined
  limits?: { [Name in keyof Limits]?: Limits[Name] | undefined } | undefined
}

/** Sizes in bytes, times in milliseconds. */
export interface Limits {
  /** Body of one request. @default 8 MiB */
  bodyBytes: number
  /** Bodies of all requests being answered. @default 256 MiB */
  bufferedBytes: number
  /** Texts, documents or sentences of one request. @default 2,048 */
  batch: number
  /** Tokens of one request. @default 1,000,000 */
  requestTokens: number
  /** Requests being answered at one time. @default 512 */
  requests: number
  /** From a request's arrival to its answer. @default 10 minutes */
  deadline: number
  /** Estimated tokens up to which a request goes before bulk work. @default 4 packs of its model */
  interactiveTokens: number
}

const defaults: Limits = {
  bodyBytes: 8 << 20,
  bufferedBytes: 256 << 20,
  batch: 2048,
  requestTokens: 1_000_000,
  requests: 512,
  deadline: 600_000,
  interactiveTokens: 0,
}

type Given = { [Name in keyof HandlerOptions]-?: Exclude<HandlerOptions[Name], undefined> }

export type Settings = Omit<Given, 'log' | 'limits' | 'hosts'> & {
  hosts: readonly string[] | null
  limits: Limits
  log: ((line: LogLine) => void) | null
}

const known: readonly (keyof HandlerOptions)[] = [
  'models',
  'keys',
  'prompts',
  'autoTruncate',
  'ranges',
  'corsOrigins',
  'hosts',
  'basePath',
  'page',
  'log',
  'tracing',
  'limits',
]

export function readHandlerOptions(given: HandlerOptions): Settings {
  refuseUnknown(given, known, 'option')
  const { models, keys = [], limits = {}, basePath = '' } = given
  if (!models || Object.keys(models).length === 0) {
    throw new TypeError('Expected the option models to hold at least one model by its name')
  }
  for (const [name, model] of Object.entries(models)) {
    if (typeof model === 'object' && model && ('embedEach' in model || 'scoreEach' in model))
      continue
    throw new TypeError(`Expected models[${JSON.stringify(name)}] to be an Embedder or a Reranker`)
  }
  if (keys.some((key) => typeof key !== 'string' || key.length < 8)) {
    throw new TypeError('Expected every key to be a string of at least 8 characters')
  }
  if (basePath !== '' && !/^\/.*[^/]$/.test(basePath)) {
    throw new TypeError(
      `Expected basePath to begin with a slash and not to end with one but received ${JSON.stringify(basePath)}`,
    )
  }
  return {
    models,
    keys,
    prompts: given.prompts ?? {},
    autoTruncate: given.autoTruncate ?? false,
    ranges: given.ranges ?? {},
    corsOrigins: given.corsOrigins ?? [],
    hosts: given.hosts ?? null,
    basePath,
    page: given.page ?? true,
    log: given.log ?? null,
    tracing: given.tracing ?? false,
    limits: readLimits(limits),
  }
}

function readLimits(given: NonNullable<HandlerOptions['limits']>): Limits {
  refuseUnknown(given, Object.keys(defaults), 'limit')
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || (Number.isInteger(value) && value >= 1)) continue
    throw new RangeError(
      `Expected the limit ${name} to be an integer of at least 1 but it is ${value}`,
    )
  }
  const set = Object.entries(given).filter(([, value]) => value !== undefined)
  return { ...defaults, ...Object.fromEntries(set) }
}

/** A misspelt option must not be ignored. */
export function refuseUnknown(given: object, names: readonly string[], what: string): void {
  for (const name of Object.keys(given)) {
    if (names.includes(name)) continue
    throw new TypeError(`Unknown ${what} ${JSON.stringify(name)}. Known here: ${names.join(', ')}.`)
  }
}
