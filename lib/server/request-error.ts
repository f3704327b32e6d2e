// Why a request gets no result, independent of the dialect that says so (error-response.ts).
import { Qwen3Error } from '../index.ts'

/** Kinds of errors, each with the status it usually has. */
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

export type ErrorKind = keyof typeof statuses

export class RequestError extends Error {
  readonly kind: ErrorKind
  /** The field of the request that is wrong, where it is one. */
  readonly param: string | null
  readonly headers: Record<string, string>

  constructor(
    kind: ErrorKind,
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

const kinds: Partial<Record<Qwen3Error['code'], ErrorKind>> = {
  ERR_TEXT_TOO_LONG: 'text_too_long',
  ERR_TEXT_EMPTY: 'invalid',
  ERR_QUEUE_FULL: 'overloaded',
  ERR_CLOSED: 'unavailable',
  ERR_OUT_OF_MEMORY: 'unavailable',
  ERR_PROCESS_DIED: 'unavailable',
}

const sentences: Partial<Record<Qwen3Error['code'], (error: Qwen3Error) => string>> = {
  ERR_TEXT_TOO_LONG: ({ problem, facts: { index } }) =>
    `${index === undefined ? '' : `Text ${index}: `}${problem}. Shorten it, or ask for it to be cut.`,
  ERR_OUT_OF_MEMORY: () => 'The server ran out of memory. Send fewer or shorter texts.',
  ERR_PROCESS_DIED: ({ facts: { suspect } }) =>
    suspect
      ? 'The model failed twice on these texts. Send fewer of them to find the one that does it.'
      : 'The model failed and is being started again. Try again later.',
  ERR_CLOSED: () => 'The model is closed. Try again later.',
}

/** What a call into the model threw. `param` is the field that held the texts. */
export function requestErrorOf(
  error: unknown,
  { param = null, retryAfter }: { param?: string | null; retryAfter?: () => number } = {},
): RequestError {
  if (error instanceof RequestError) return error
  if (error instanceof Qwen3Error) {
    const kind = kinds[error.code] ?? 'failed'
    // A library's remedy may name options that only the server's operator has: those that a client can follow are
    // said in the words of a request.
    const message =
      kind === 'overloaded'
        ? 'Too many texts are waiting. Try again after the seconds in Retry-After.'
        : (sentences[error.code]?.(error) ?? error.message)
    const headers: Record<string, string> =
      kind === 'overloaded' && retryAfter ? { 'retry-after': `${retryAfter()}` } : {}
    return new RequestError(kind, message, { param, headers, cause: error })
  }
  return new RequestError('failed', 'The server failed. Its log has the request id.', {
    cause: error,
  })
}
