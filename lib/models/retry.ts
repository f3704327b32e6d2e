import { setTimeout as sleep } from 'node:timers/promises'
import { misuse, Qwen3Error, refuseUnknown } from '../errors.ts'
import type { Retry } from '../progress.ts'

/** How downloads behave on slow and unreliable networks. */
export interface Transfer {
  /** Ranges fetched at once. */
  connections: number
  /** Bytes of one range request. */
  partBytes: number
  /** A connection that delivers nothing for so long is given up. */
  stallMs: number
  /** Failures in a row, without a byte gained between them, before giving up. */
  retries: number
  /** The first pause between attempts; it doubles each time. */
  backoffMs: number
}

const defaultTransfer: Transfer = {
  connections: 4,
  partBytes: 32 * 1024 * 1024,
  stallMs: 30_000,
  retries: 5,
  backoffMs: 500,
}

/** The defaults with what the caller changed; throws for what would never finish. */
export function readTransfer(
  given: { [Key in keyof Transfer]?: Transfer[Key] | undefined } = {},
): Transfer {
  const transfer = { ...defaultTransfer }
  refuseUnknown(given, Object.keys(transfer), 'option of transfer')
  for (const key of Object.keys(transfer) as (keyof Transfer)[]) {
    const value = given[key]
    if (value === undefined) continue
    const least = key === 'retries' || key === 'backoffMs' ? 0 : 1
    if (!Number.isSafeInteger(value) || value < least) {
      throw misuse(RangeError, `a whole number from ${least}`, `transfer.${key}`, value)
    }
    transfer[key] = value
  }
  return transfer
}

/** Under which attempts are made. */
export interface Conditions {
  readonly transfer: Transfer
  readonly signal: AbortSignal | undefined
  /** Told of each attempt that failed and will be made again. */
  readonly onRetry?: ((retry: Retry) => void) | undefined
}

/** A failure that may pass: a broken connection, a busy server. */
export class Transient extends Error {
  readonly retryAfterMs: number | undefined

  constructor(
    message: string,
    options: { retryAfterMs?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.retryAfterMs = options.retryAfterMs
  }
}

const longestWaitMs = 60_000

/** Repeats an attempt while it fails in ways that may pass. `gained` counts what it achieves. */
export async function withRetries<T>(
  conditions: Conditions,
  gained: () => number,
  attempt: () => Promise<T>,
): Promise<T> {
  const { retries, backoffMs } = conditions.transfer
  for (let failures = 0; ; ) {
    const before = gained()
    try {
      return await attempt()
    } catch (error) {
      conditions.signal?.throwIfAborted()
      if (!(error instanceof Transient)) throw error
      failures = gained() > before ? 1 : failures + 1
      const pause = backoffMs * 2 ** (failures - 1) * (0.75 + Math.random() / 2)
      const wait = Math.max(error.retryAfterMs ?? 0, Math.min(pause, longestWaitMs))
      if (failures > retries || wait > longestWaitMs) throw givenUp(error, failures)
      const attempts = retries + 1
      const reason = error.message
      conditions.onRetry?.({ reason, attempt: failures, attempts, seconds: wait / 1000 })
      await sleep(wait, undefined, { signal: conditions.signal }).catch(() => {})
      conditions.signal?.throwIfAborted()
    }
  }
}

function givenUp(error: Transient, failures: number): Qwen3Error {
  const proxy = process.env.HTTPS_PROXY ?? process.env.https_proxy
  const hint =
    proxy === undefined
      ? 'Check the connection'
      : 'Check the connection (Node uses HTTPS_PROXY only from version 24, with NODE_USE_ENV_PROXY=1)'
  const wait = error.retryAfterMs === undefined ? 0 : Math.ceil(error.retryAfterMs / 1000)
  return new Qwen3Error(
    'ERR_DOWNLOAD',
    `Gave up after ${failures} attempts: ${error.message}`,
    { attempts: failures, retryAfterSeconds: wait },
    {
      remedy:
        (wait > 0 ? `It asks for a pause of ${wait} seconds: wait that long` : hint) +
        ' and run the same again: the download continues where it stopped.',
      cause: error,
    },
  )
}
