import { misuse, refuseUnknown } from '../errors.ts'
import type { Embedder, LoadOptions, Reranker } from '../index.ts'
import { readMetric } from './metrics/retrieval.ts'
import { type Kind, kinds } from './read/dataset.ts'
import type { EvalProgress } from './tasks/context.ts'
import type { Ranked } from './tasks/retrieval.ts'
import { type Encoding, encodings } from './vectors/matrix.ts'

export interface EvaluateOptions {
  /** A name or path for `Embedder.load`, the name of a baseline, or a loaded embedder, which stays open. */
  model: string | Embedder
  /** A folder or file, or the name of a collection. */
  dataset: string
  /** Adapters for the model. */
  adapter?: LoadOptions['adapter']
  /** A second stage that orders the best anew. */
  reranker?: string | Reranker
  /** How many the second stage sees. @default 100 */
  top?: number
  /** Leading dimensions to keep; several are judged side by side. @default all */
  dimensions?: number | readonly number[]
  /** How documents are kept; several are judged side by side. @default 'float32' */
  encoding?: Encoding | readonly Encoding[]
  /** What the queries are for. @default that of `task`, else Qwen's web search sentence for retrieval, else none */
  instruction?: string
  /** The task's name in MTEB: its instruction and Qwen's rules for it. */
  task?: string
  /** What the data is for, where its columns do not say. */
  kind?: Kind
  /** @default the only one, else `test` */
  split?: string
  /** Of retrieval; the first is the one that is compared. */
  metrics?: readonly string[]
  /** Documents and texts are cut to so many characters. @default none is */
  maxChars?: number
  /** Drop the document whose id is the query's. @default as mteb does for `task` */
  ignoreIdentical?: boolean
  /** How lists of candidates are scored. @default 'mteb-1', which the paper used */
  protocol?: 'mteb-1' | 'mteb-2'
  /** Of clustering. @default 'mini-batch', as mteb */
  algorithm?: 'mini-batch' | 'lloyd'
  /** Where vectors are kept. @default `QWEN3_EMBED_CACHE`, else below the user's cache folder */
  cacheDir?: string
  /** Options for loading both models. */
  load?: LoadOptions
  signal?: AbortSignal
  onProgress?: (progress: EvalProgress) => void
  /** Given each run of retrieval as it is there: to write it in TREC's form. */
  onRun?: (label: string, run: Ranked) => void
}

const known = [
  'model',
  'dataset',
  'adapter',
  'reranker',
  'top',
  'dimensions',
  'encoding',
  'instruction',
  'task',
  'kind',
  'split',
  'metrics',
  'maxChars',
  'ignoreIdentical',
  'protocol',
  'algorithm',
  'cacheDir',
  'load',
  'signal',
  'onProgress',
  'onRun',
] as const

/** @throws TypeError or RangeError before anything runs. */
export function checkOptions(options: EvaluateOptions): void {
  refuseUnknown(options, known, 'option')
  if (typeof options.dataset !== 'string')
    throw misuse(TypeError, 'a string', 'dataset', options.dataset)
  if (options.adapter !== undefined && typeof options.model !== 'string') {
    throw misuse(
      TypeError,
      'none, since the model is loaded already: load it with its adapter,',
      'adapter',
      options.adapter,
    )
  }
  for (const metric of options.metrics ?? []) readMetric(metric)
  for (const encoding of listOf(options.encoding ?? 'float32')) {
    if (!encodings.includes(encoding))
      throw misuse(RangeError, encodings.join(', '), 'encoding', encoding)
  }
  if (options.kind !== undefined && !kinds.includes(options.kind)) {
    throw misuse(RangeError, kinds.join(', '), 'kind', options.kind)
  }
  for (const name of ['top', 'maxChars'] as const) {
    const value = options[name]
    if (value !== undefined && !(Number.isInteger(value) && value >= 1)) {
      throw misuse(RangeError, 'an integer of at least 1', name, value)
    }
  }
}

export function checkDimensions(value: number, width: number): void {
  if (!Number.isInteger(value) || value < Math.min(32, width) || value > width) {
    throw misuse(
      RangeError,
      `an integer from ${Math.min(32, width)} to ${width}`,
      'dimensions',
      value,
    )
  }
}

export function listOf<T extends string | number>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? value : [value as T]
}
