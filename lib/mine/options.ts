import { misuse, refuseUnknown } from '../errors.ts'
import type { Embedder, LoadOptions, OnProgress, Reranker } from '../index.ts'
import type { Method } from './select.ts'

export interface MineOptions {
  /** A name, or a loaded one, which stays open. */
  model: string | Embedder
  /** A file of rows with a query and its positives, or the rows. */
  data: string | Iterable<object>
  /** Where wrong answers are looked for: a jsonl file with `text`, or texts. @default the positives of all rows */
  corpus?: string | Iterable<string | { id?: string; title?: string; text: string }> | undefined
  /** Where the rows are written, completed. @default nowhere: they are returned alone */
  output?: string | undefined
  /** Wrong answers a query. @default 7 */
  negatives?: number | undefined
  /** How many of the nearest texts are looked at. @default 100 */
  range?: number | undefined
  /**
   * What a candidate's score must be: at most `threshold` of the positive's (`percPos`), less than it by `threshold`
   * (`marginPos`), at most `threshold` (`abs`); or its rank must be beyond `threshold` (`shift`). @default 'percPos'
   */
  method?: Method | undefined
  /** @default 0.95, 0.05, 0.7 or 10, by method */
  threshold?: number | undefined
  /** Take the nearest that are left, or any of them by `seed`. @default 'top' */
  pick?: 'top' | 'random' | undefined
  /** @default 1 */
  seed?: number | undefined
  /** A text that shares this part of its word triples with a positive is the positive again. @default 0.2 */
  containment?: number | undefined
  /** So is one whose cosine with a positive is above this. @default 0.98 */
  twin?: number | undefined
  /** A judge: what it says yes to is no wrong answer. */
  reranker?: string | Reranker | undefined
  /** Make such texts positives in place of dropping them. @default false */
  promote?: boolean | undefined
  /** What queries are for, where a row does not say. @default Qwen's web search sentence */
  instruction?: string | undefined
  /** How models are loaded. */
  load?: LoadOptions | undefined
  cacheDir?: string | undefined
  signal?: AbortSignal | undefined
  onProgress?: OnProgress | undefined
}

const known: readonly (keyof MineOptions)[] = [
  'model',
  'data',
  'corpus',
  'output',
  'negatives',
  'range',
  'method',
  'threshold',
  'pick',
  'seed',
  'containment',
  'twin',
  'reranker',
  'promote',
  'instruction',
  'load',
  'cacheDir',
  'signal',
  'onProgress',
]

const thresholds: Readonly<Record<Method, number>> = {
  percPos: 0.95,
  marginPos: 0.05,
  abs: 0.7,
  shift: 10,
}

export function readOptions(given: MineOptions) {
  refuseUnknown(given, known, 'option')
  const { method = 'percPos', pick = 'top', negatives = 7, range = 100 } = given
  if (!Object.hasOwn(thresholds, method))
    throw misuse(RangeError, Object.keys(thresholds).join(', '), 'the option method', method)
  if (pick !== 'top' && pick !== 'random')
    throw misuse(RangeError, "'top' or 'random'", 'the option pick', pick)
  for (const [name, value] of [
    ['negatives', negatives],
    ['range', range],
  ] as const) {
    if (!Number.isInteger(value) || value < 1)
      throw misuse(RangeError, 'an integer of at least 1', `the option ${name}`, value)
  }
  return {
    ...given,
    method,
    pick,
    negatives,
    range,
    threshold: given.threshold ?? thresholds[method],
    seed: given.seed ?? 1,
    containment: given.containment ?? 0.2,
    twin: given.twin ?? 0.98,
    promote: given.promote ?? false,
  }
}

export type Settings = ReturnType<typeof readOptions>
