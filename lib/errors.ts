/**
 * Codes of failures that are not the caller's misuse. Misuse (a wrong type or range) is a `TypeError`
 * or `RangeError` thrown before any work starts.
 */
export type Qwen3ErrorCode =
  | 'ERR_NO_BINDING'
  | 'ERR_MODEL_NOT_FOUND'
  | 'ERR_MODEL_INVALID'
  | 'ERR_MODEL_MISMATCH'
  | 'ERR_MODEL_UNSUPPORTED'
  | 'ERR_TEXT_TOO_LONG'
  | 'ERR_TEXT_EMPTY'
  | 'ERR_TOKEN_UNKNOWN'
  | 'ERR_NON_FINITE'
  | 'ERR_OUT_OF_MEMORY'
  | 'ERR_COMPUTE'
  | 'ERR_GPU_UNAVAILABLE'
  | 'ERR_MODEL_CHANGED'
  | 'ERR_QUEUE_FULL'
  | 'ERR_CLOSED'
  | 'ERR_MODEL_NAME'
  | 'ERR_DOWNLOAD'
  | 'ERR_DOWNLOAD_HASH'
  | 'ERR_UNAUTHORIZED'
  | 'ERR_OFFLINE'
  | 'ERR_DISK_FULL'
  | 'ERR_CACHE'

/** A failure with a code for programs, facts for programs, and a sentence with a remedy for people. */
export class Qwen3Error extends Error {
  override readonly name = 'Qwen3Error'
  readonly code: Qwen3ErrorCode
  /** Numbers and names behind the message, such as `{ index: 3, tokens: 40211, limit: 32768 }`. */
  readonly facts: Readonly<Record<string, string | number>>

  constructor(
    code: Qwen3ErrorCode,
    message: string,
    facts: Record<string, string | number> = {},
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.code = code
    this.facts = Object.freeze({ ...facts })
  }
}

/** The sentence every misuse error uses. */
export function expected(what: string, name: string, received: unknown): string {
  return `Expected ${what} for ${name} but received ${describe(received)}`
}

function describe(value: unknown): string {
  if (typeof value === 'string') return `the string ${JSON.stringify(value.slice(0, 60))}`
  if (typeof value === 'number' || typeof value === 'boolean' || value == null) return `${value}`
  if (Array.isArray(value)) return `an array of ${value.length}`
  return `a value of type ${typeof value}`
}
