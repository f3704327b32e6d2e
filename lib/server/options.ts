// What the handler and the server may be told, with the defaults. No limit has a default anywhere else.
import { misuse, refuseUnknown } from '../errors.ts'
import type { Embedder, FileInfo, Ranges, Reranker } from '../index.ts'
import type { Index } from '../search/index.ts'
import type { LogLine } from './request-log.ts'

/** A model that is loaded at its first request. */
export interface ModelSource {
  kind: 'embedding' | 'reranking'
  /** What `inspect` tells of its file. */
  info: FileInfo
  load(): Promise<Embedder | Reranker>
}

export interface HandlerOptions {
  /**
   * Loaded models by the names that clients use; one model may have several names. The first embedder and the first
   * reranker answer requests that name none. They stay yours: closing the handler does not close them. A source is
   * loaded at its first request, and unloaded by `keepAlive`, `memory` and the handler's end.
   */
  models: Record<string, Embedder | Reranker | ModelSource>
  /** Milliseconds that a model of a source stays loaded without a request. @default forever */
  keepAlive?: number | undefined
  /** Bytes of the files of all sources that are loaded at one time; the one used longest ago goes. @default no limit */
  memory?: number | undefined
  /** Take token ids on OpenAI's route; they must be this model's own. @default false */
  tokenIds?: boolean | undefined
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
  /** Compress answers for clients that accept it; the frameworks that a handler is mounted in do so themselves. @default false; of `serve`, true */
  compress?: boolean | undefined
  /** Serve the page at `/`. @default true */
  page?: boolean | undefined
  /** Files to search, at /v1/search and on the page. It stays yours: closing the handler does not close it. @default none */
  index?: Index | undefined
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

export type Settings = Omit<Given, 'log' | 'limits' | 'hosts' | 'index'> & {
  index: Index | null
  hosts: readonly string[] | null
  limits: Limits
  log: ((line: LogLine) => void) | null
}

const known: readonly (keyof HandlerOptions)[] = [
  'models',
  'keepAlive',
  'memory',
  'tokenIds',
  'keys',
  'prompts',
  'autoTruncate',
  'ranges',
  'corsOrigins',
  'hosts',
  'basePath',
  'page',
  'compress',
  'index',
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
    if (typeof model === 'object' && model && isModel(model)) continue
    throw new TypeError(
      `Expected models[${JSON.stringify(name)}] to be an Embedder, a Reranker or { kind, info, load }`,
    )
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
    corsOrigins: readOrigins(given.corsOrigins ?? []),
    keepAlive: given.keepAlive ?? Number.POSITIVE_INFINITY,
    memory: given.memory ?? Number.POSITIVE_INFINITY,
    tokenIds: given.tokenIds ?? false,
    hosts: given.hosts?.map((host) => host.toLowerCase()) ?? null,
    basePath,
    page: given.page ?? true,
    compress: given.compress ?? false,
    index: given.index ?? null,
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

function isModel(model: object): boolean {
  return (
    ['embedEach', 'scoreEach'].some((name) => name in model) || ('load' in model && 'info' in model)
  )
}

/** Origins as browsers write them, so that a slash at the end does not shut a page out. */
function readOrigins(given: readonly string[] | '*'): readonly string[] | '*' {
  if (given === '*') return '*'
  for (const origin of given) {
    const meant = origin === 'null' ? 'null' : originOf(origin)
    if (meant === origin) continue
    const hint = meant === undefined ? '' : `; write ${meant}`
    throw misuse(
      TypeError,
      `origins such as https://app.example${hint},`,
      'the option corsOrigins',
      origin,
    )
  }
  return given
}

function originOf(text: string): string | undefined {
  try {
    const { origin, protocol } = new URL(text)
    return /^https?:$/.test(protocol) ? origin : undefined
  } catch {
    return undefined
  }
}
