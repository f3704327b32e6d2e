// Why a request gets no result, independent of the dialect that says so (dialects.ts).
import type { Qwen3Error } from '../index.ts'

/** Kinds of refusal, each with the status it usually has. */
export const statuses = {
  invalid: 400,
  empty: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  model_not_found: 404,
  method_not_allowed: 405,
  body_too_large: 413,
  unsupported_media_type: 415,
  batch_too_large: 400,
  text_too_long: 400,
  too_many_tokens: 400,
  overloaded: 429,
  client_gone: 499,
  failed: 500,
  unavailable: 503,
  deadline_exceeded: 504,
} as const

export type RefusalKind = keyof typeof statuses

export class Refusal extends Error {
  readonly kind: RefusalKind
  /** The field of the request that is wrong, where it is one. */
  readonly param: string | null
  readonly headers: Record<string, string>

  constructor(
    kind: RefusalKind,
    message: string,
    {
      param = null,
      headers = {},
      cause,
    }: { param?: string | null; headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(message, { cause })
    this.kind = kind
    this.param = param
    this.headers = headers
  }
}

const kinds: Partial<Record<Qwen3Error['code'], RefusalKind>> = {
  ERR_TEXT_TOO_LONG: 'text_too_long',
  ERR_TEXT_EMPTY: 'invalid',
  ERR_QUEUE_FULL: 'overloaded',
  ERR_CLOSED: 'unavailable',
  ERR_OUT_OF_MEMORY: 'unavailable',
}

/** What a call into the model threw. `param` is the field that held the texts. */
export function refusalOf(
  error: unknown,
  { param = null, retryAfter }: { param?: string | null; retryAfter?: () => number } = {},
): Refusal {
  if (error instanceof Refusal) return error
  if (isQwen3Error(error)) {
    const kind = kinds[error.code] ?? 'failed'
    // A library's remedy may name options that only the server's operator has.
    const message =
      kind === 'overloaded'
        ? 'Too many texts are waiting. Try again after the seconds in Retry-After.'
        : error.message
    const headers: Record<string, string> =
      kind === 'overloaded' && retryAfter ? { 'retry-after': `${retryAfter()}` } : {}
    return new Refusal(kind, message, { param, headers, cause: error })
  }
  return new Refusal('failed', 'The server failed. Its log has the request id.', { cause: error })
}

// Not by class: with require() and import in one program there are two of it.
function isQwen3Error(error: unknown): error is Qwen3Error {
  return error instanceof Error && error.name === 'Qwen3Error'
}
