import { nearest } from './nearest.ts'

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
  | 'ERR_PROCESS_DIED'
  | 'ERR_MODEL_NAME'
  | 'ERR_DOWNLOAD'
  | 'ERR_DOWNLOAD_HASH'
  | 'ERR_UNAUTHORIZED'
  | 'ERR_OFFLINE'
  | 'ERR_DISK_FULL'
  | 'ERR_CACHE'
  | 'ERR_DATASET'
  | 'ERR_INDEX_NOT_FOUND'
  | 'ERR_INDEX_BUSY'
  | 'ERR_INDEX_DAMAGED'
  | 'ERR_INDEX_VERSION'
  | 'ERR_FLEET'
  | 'ERR_SHARD_DIFFERS'
  | 'ERR_INPUT_CHANGED'
  | 'ERR_RECORD'
  | 'ERR_STORE'
  | 'ERR_ENDPOINT'

export type Facts = Readonly<Record<string, string | number>>

export interface Qwen3ErrorOptions extends ErrorOptions {
  /** A sentence that says what to do. */
  remedy?: string | undefined
  /** What the problem is with, where there are several: `Text 3`. */
  subject?: string | undefined
}

const ordinary = Function.prototype[Symbol.hasInstance]

/** The same in every copy of this package: two versions, or two realms, know each other's errors by it. */
const brand = Symbol.for('qwen3-embed.Qwen3Error')

/**
 * A failure, once for programs (`code`, `facts`) and once for people: `message` is `problem` and `remedy` in one, as
 * logs want it; whoever speaks of it in words of its own takes the two apart.
 *
 * `instanceof Qwen3Error` holds for errors of any copy of this package, of any realm.
 */
export class Qwen3Error extends Error {
  override readonly name = 'Qwen3Error'
  readonly code: Qwen3ErrorCode
  /** Numbers and names behind the message, such as `{ index: 3, tokens: 40211, limit: 32768 }`. */
  readonly facts: Facts
  /** What was expected and what came, without the remedy. */
  readonly problem: string
  /** What to do about it, in the words of this API; '' where there is nothing to be done. */
  readonly remedy: string

  constructor(
    code: Qwen3ErrorCode,
    problem: string,
    facts: Facts = {},
    { remedy = '', subject, cause }: Qwen3ErrorOptions = {},
  ) {
    const sentence = subject === undefined ? problem : `${subject}: ${problem}`
    super(
      remedy === '' ? sentence : `${sentence.replace(/\.$/, '')}. ${remedy}`,
      cause === undefined ? undefined : { cause },
    )
    this.code = code
    this.problem = problem
    this.remedy = remedy
    this.facts = Object.freeze({ ...facts })
    Object.defineProperty(this, brand, { value: true })
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: a class of someone's that extends this one is not told by the brand
    if (this !== Qwen3Error) return ordinary.call(this, value)
    return typeof value === 'object' && value !== null && brand in value
  }
}

/** A value of an option or argument that was not what it must be. */
export interface OptionFacts {
  /** The option or argument, as the API calls it. */
  readonly option: string
  readonly expected: string
  readonly received: string
}

/** The error for a value of a wrong type or range, with what was expected as facts of its own. */
export function misuse(
  kind: typeof TypeError | typeof RangeError,
  what: string,
  name: string,
  received: unknown,
): TypeError | RangeError {
  const error = new kind(expected(what, name, received))
  const facts: OptionFacts = {
    option: name.replace(/^the option /, ''),
    expected: what,
    received: describe(received),
  }
  return Object.assign(error, facts)
}

/** The sentence every misuse error uses. */
export function expected(what: string, name: string, received: unknown): string {
  return `Expected ${what} for ${name} but received ${describe(received)}`
}

export function describe(value: unknown): string {
  if (typeof value === 'string') return `the string ${JSON.stringify(value.slice(0, 60))}`
  if (typeof value === 'number' || typeof value === 'boolean' || value == null) return `${value}`
  if (Array.isArray(value)) return `an array of ${value.length}`
  return `a value of type ${typeof value}`
}

/** A misspelt name must not be ignored. */
export function refuseUnknown(given: object, known: readonly string[], what: string): void {
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue
    const near = nearest(name, known)
    throw new TypeError(
      `Unknown ${what} ${JSON.stringify(name)}.${near ? ` Did you mean ${near}?` : ''} Known here: ${known.join(', ')}.`,
    )
  }
}
