// What the requests of all dialects share on their way into a model: limits, priority, and what is counted.
import type { TextOrIds } from '../index.ts'
import type { Limits } from './options.ts'
import type { Context, Usage } from './context.ts'
import type { Served } from './models.ts'
import { RequestError, requestErrorOf } from './request-error.ts'

export type Priority = 'interactive' | 'bulk'

/** Fewer characters than a token usually has, so that estimates are on the safe side. */
const tokenChars = 3

export function checkBatch(count: number, param: string, { batch }: Limits): void {
  if (count <= batch) return
  const message = `batch size ${count} > maximum allowed batch size ${batch}`
  throw new RequestError('batch_too_large', message, { param })
}

/** Small requests go first; what one of them holds up is a few packs at most. */
export function priorityOf(
  texts: readonly TextOrIds[],
  { model }: Served,
  limits: Limits,
): Priority {
  const most = limits.interactiveTokens || 4 * model.info.budget
  let estimate = 0
  for (const text of texts) {
    estimate += typeof text === 'string' ? text.length / tokenChars : text.length
  }
  return estimate <= most ? 'interactive' : 'bulk'
}

/** What a failure of a call into a model means to whoever asked. */
export function failureOf(error: unknown, served: Served, { signal }: Context, param: string) {
  if (signal.aborted) return signal.reason
  return requestErrorOf(error, { param, retryAfter: () => secondsToWait(served) })
}

/** Until what waits now is done, going by what was done so far. */
export function secondsToWait({ model, finished }: Served): number {
  const { productsMs, attentionMs, restMs, waiting } = model.stats
  const each = (productsMs + attentionMs + restMs) / Math.max(1, finished)
  return Math.min(60, Math.max(1, Math.ceil((waiting * each) / 1000)))
}

/** Notes when the first pass of a call is done. */
export function watchFirstPass(usage: Usage): () => void {
  const start = performance.now()
  return () => {
    usage.firstPass ??= performance.now() - start
  }
}

export interface Bounds {
  /** Tokens of one text with what stands around it; null where a longer one is cut. */
  readonly ofText: number | null
  readonly ofRequest: number
}

/** Characters and texts counted in one go: between two goes, other requests get their turn on the model's thread. */
const countedChars = 1 << 17
const countedTexts = 256

/**
 * Refuses what would be refused in the end, before anything is computed. Counting costs a tokenisation, so it is done
 * only where the length in bytes leaves doubt: a token is hardly ever shorter than a byte.
 *
 * @param around Upper bound of the tokens that stand around each text.
 */
export async function checkTokens(
  texts: readonly TextOrIds[],
  count: (texts: readonly string[]) => Promise<number[]>,
  bounds: Bounds,
  { around, param, signal }: { around: number; param: string; signal: AbortSignal },
): Promise<void> {
  const longest = bounds.ofText ?? Number.POSITIVE_INFINITY
  const sizes = texts.map((text) =>
    typeof text === 'string' ? Buffer.byteLength(text) + around : text.length,
  )
  const isMuch = sum(sizes) > bounds.ofRequest
  for (const group of groups(texts, (i) => isMuch || sizes[i]! > longest)) {
    signal.throwIfAborted()
    const counts = await count(group.map((i) => texts[i] as string))
    for (const [k, i] of group.entries()) sizes[i] = counts[k]!
  }
  const long = sizes.findIndex((size) => size > longest)
  if (long >= 0) {
    throw new RequestError(
      'text_too_long',
      `\`${param}\` must have at most ${longest} tokens. Given: ${sizes[long]}, in text ${long}`,
      { param },
    )
  }
  const total = sum(sizes)
  if (total > bounds.ofRequest) {
    throw new RequestError(
      'too_many_tokens',
      `Expected at most ${bounds.ofRequest} tokens in one request but received ${total}. Send fewer texts at a time.`,
      { param },
    )
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function* groups(
  texts: readonly TextOrIds[],
  isDoubtful: (i: number) => boolean,
): Generator<number[]> {
  let group: number[] = []
  let chars = 0
  for (const [i, text] of texts.entries()) {
    if (typeof text !== 'string' || !isDoubtful(i)) continue
    group.push(i)
    chars += text.length
    if (chars < countedChars && group.length < countedTexts) continue
    yield group
    group = []
    chars = 0
  }
  if (group.length > 0) yield group
}
