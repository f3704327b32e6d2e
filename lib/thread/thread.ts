// Calls into a worker thread of ours, one after another, and what it says meanwhile.
import { type ResourceLimits, Worker } from 'node:worker_threads'
import { type Facts, Qwen3Error, type Qwen3ErrorCode } from '../errors.ts'

export interface Call {
  readonly number: number
  readonly method: string
  readonly args: readonly unknown[]
}

/** What a thread answers: the end of a call, or something in the middle of it. */
export type Reply =
  | { readonly number: number; readonly news: unknown }
  | { readonly number: number; readonly result: unknown }
  | { readonly number: number; readonly error: Failed }

/** An error as it crosses: a clone would lose its class. */
export interface Failed {
  readonly name: string
  readonly message: string
  readonly code?: Qwen3ErrorCode
  readonly problem?: string
  readonly remedy?: string
  readonly facts?: Facts
}

interface Pending {
  resolve(value: unknown): void
  reject(error: unknown): void
  onNews: ((news: unknown) => void) | undefined
}

/** Methods of a thread: each is a call that returns a promise here. */
type Methods = Record<string, (...args: never[]) => unknown>

export class Thread<M extends Methods> {
  readonly #worker: Worker
  readonly #pending = new Map<number, Pending>()
  #next = 1
  #gone: Error | undefined

  constructor(url: URL, workerData: unknown, resourceLimits: ResourceLimits = {}) {
    // Flags of this process, such as --input-type, are not for a thread.
    this.#worker = new Worker(url, { workerData, execArgv: [], resourceLimits })
    this.#worker.on('message', (reply: Reply) => this.#take(reply))
    this.#worker.on('error', (error) => this.#end(error as Error))
    this.#worker.on('exit', (code) => this.#end(new Error(`A thread ended with code ${code}`)))
    // An index that nobody asks anything keeps no process alive.
    this.#worker.unref()
  }

  call<K extends keyof M & string>(
    method: K,
    args: Parameters<M[K]>,
    onNews?: (news: unknown) => void,
    signal?: AbortSignal,
  ): Promise<Awaited<ReturnType<M[K]>>> {
    if (this.#gone) return Promise.reject(this.#gone)
    const number = this.#next++
    this.#worker.ref()
    // What the call makes of it is what it rejects with: it may have things to put away.
    const abort = () => this.#worker.postMessage({ abort: number })
    const ended = new Promise((resolve, reject) => {
      this.#pending.set(number, { resolve, reject, onNews })
      this.#worker.postMessage({ number, method, args } satisfies Call)
      if (signal?.aborted) abort()
      else signal?.addEventListener('abort', abort, { once: true })
    })
    return ended.finally(() => signal?.removeEventListener('abort', abort)) as Promise<
      Awaited<ReturnType<M[K]>>
    >
  }

  /** Whether it ended: no call will be answered. */
  get isGone(): boolean {
    return this.#gone !== undefined
  }

  /** Ends it, whatever it is at; calls that wait are rejected. */
  async end(): Promise<void> {
    await this.#worker.terminate()
  }

  #take(reply: Reply): void {
    const pending = this.#pending.get(reply.number)
    if (!pending) return
    if ('news' in reply) {
      pending.onNews?.(reply.news)
      return
    }
    this.#pending.delete(reply.number)
    if (this.#pending.size === 0) this.#worker.unref()
    if ('error' in reply) pending.reject(revived(reply.error))
    else pending.resolve(reply.result)
  }

  #end(error: Error): void {
    this.#gone ??= error
    for (const { reject } of this.#pending.values()) reject(this.#gone)
    this.#pending.clear()
  }
}

function revived({ name, message, code, problem, facts, remedy }: Failed): Error {
  if (code !== undefined) return new Qwen3Error(code, problem!, facts, { remedy })
  const kinds: Record<string, ErrorConstructor> = { TypeError, RangeError }
  return new (kinds[name] ?? Error)(message)
}
