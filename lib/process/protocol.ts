// What host and child say to each other. Both are of one version of this package: `hello` says which.
import { type Facts, Qwen3Error, type Qwen3ErrorCode } from '../errors.ts'
import type { Group } from '../job.ts'
import type {
  NativeJobOptions,
  NativeLoadOptions,
  NativeModelFacts,
  NativeStats,
} from '../native.ts'

/** A piece of a call, small enough that neither side holds much of it. */
export interface RunRequest {
  readonly op: 'run'
  readonly id: number
  readonly options: NativeJobOptions
  readonly groups: readonly Group[]
  /** Values of each text's vector; 0: no vectors. */
  readonly width: number
  /** Tell after each pass. */
  readonly isTold: boolean
}

export type Request =
  | { readonly op: 'load'; readonly id: number; readonly options: NativeLoadOptions }
  | RunRequest
  | { readonly op: 'cancel'; readonly id: number }
  | { readonly op: 'ping' }
  | { readonly op: 'close' }

/** What became of the texts of one `RunRequest`, in their order. */
export interface RunResult {
  readonly vectors: Float32Array | undefined
  readonly scores: Float64Array | undefined
  readonly tokens: Int32Array
  readonly cut: Int32Array
  /** With `facts.index` counted from the request's first text. */
  readonly failures: readonly PlainError[]
  readonly rows: Float32Array[]
  readonly ids: Int32Array[]
  readonly texts: string[]
}

export type Answer =
  | { readonly is: 'hello'; readonly version: string }
  | { readonly is: 'pong' }
  /** Of a load a fraction, of a run the texts that are done. */
  | { readonly is: 'progress'; readonly id: number; readonly done: number; readonly load?: Load }
  | {
      readonly is: 'loaded'
      readonly id: number
      readonly facts: NativeModelFacts
      readonly load: Load
    }
  | { readonly is: 'result'; readonly id: number; readonly result: RunResult; readonly load: Load }
  | { readonly is: 'error'; readonly id: number; readonly error: PlainError; readonly load: Load }

/** What the child is carrying. */
export interface Load {
  readonly stats: NativeStats | undefined
  /** Resident bytes. */
  readonly memory: number
}

/** An error as it crosses. */
export interface PlainError {
  readonly message: string
  readonly stack: string | undefined
  readonly code?: Qwen3ErrorCode
  readonly problem?: string
  readonly remedy?: string
  readonly facts?: Facts
}

export function plainError(error: unknown): PlainError {
  if (error instanceof Qwen3Error) {
    const { message, stack, code, problem, remedy, facts } = error
    return { message, stack, code, problem, remedy, facts: { ...facts } }
  }
  const { message = `${error}`, stack } = (error ?? {}) as Partial<Error>
  return { message, stack }
}

/** The error again, with what happened over there as its cause. `first` is added to the index of its text. */
export function errorOf(plain: PlainError, first = 0): Error {
  const cause = Object.assign(new Error(plain.message), { stack: plain.stack })
  if (plain.code === undefined) return new Error(plain.message, { cause })
  const { code, problem = plain.message, remedy, facts = {} } = plain
  if (typeof facts.index !== 'number')
    return new Qwen3Error(code, problem, facts, { remedy, cause })
  const index = facts.index + first
  const subject = `Text ${index}`
  return new Qwen3Error(code, problem, { ...facts, index }, { remedy, subject, cause })
}
