// How far long work is: one shape for everything that takes a while.

/** What is being done. */
export type Phase = 'download' | 'verify' | 'load' | 'embed' | 'rerank' | (string & {})

/** How far one piece of work is. */
export interface Progress {
  readonly phase: Phase
  /** In `unit`s; those of earlier runs included, where work is resumed. */
  readonly done: number
  /** 0 where it is not known. */
  readonly total: number
  readonly unit: 'bytes' | 'texts' | 'pairs' | 'steps' | (string & {})
  /** Units a second over the last seconds; 0 while nothing is known. */
  readonly rate: number
  /** Seconds left at that rate; undefined while it is not known. */
  readonly eta: number | undefined
  /** The file it is about, where it is about one. */
  readonly file?: string | undefined
  /** Set when an attempt failed and another one will be made. */
  readonly retry?: Retry | undefined
}

/** Why an attempt failed, and when the next one is made. */
export interface Retry {
  readonly reason: string
  /** Of the attempt that failed, from 1. */
  readonly attempt: number
  readonly attempts: number
  /** Until the next one. */
  readonly seconds: number
}

/** Called now and then while work goes on. What it throws ends the work and rejects the call. */
export type OnProgress = (progress: Progress) => void

export interface Work {
  readonly phase: Phase
  readonly unit: Progress['unit']
  readonly total: number
  readonly file?: string | undefined
}

const reportEveryMs = 100
const windowMs = 5_000

/** Turns counts into progress: rates over the last seconds, reports rare enough to draw. */
export class Meter {
  readonly #work: Work
  readonly #report: OnProgress | undefined
  readonly #everyMs: number
  #done = 0
  #gained = 0
  #reportedAt = Number.NEGATIVE_INFINITY
  #samples: { at: number; gained: number }[] = []

  constructor(work: Work, report: OnProgress | undefined, everyMs = reportEveryMs) {
    this.#work = work
    this.#report = report
    this.#everyMs = everyMs
    this.#samples.push({ at: performance.now(), gained: 0 })
  }

  /** What was done just now, and what is done in all. */
  add(gained: number, done: number): void {
    this.#gained += gained
    this.#done = done
    const now = performance.now()
    if (now - this.#reportedAt < this.#everyMs && done !== this.#work.total) return
    this.#reportedAt = now
    this.#samples.push({ at: now, gained: this.#gained })
    while (this.#samples.length > 2 && this.#samples[0]!.at < now - windowMs) this.#samples.shift()
    this.#emit()
  }

  /** As `add`, of work that counts from 0. */
  reach(done: number): void {
    this.add(done - this.#done, done)
  }

  retry(retry: Retry): void {
    this.#emit(retry)
  }

  done(): void {
    this.#done = this.#work.total
    this.#emit()
  }

  #emit(retry?: Retry): void {
    if (!this.#report) return
    const [first, last] = [this.#samples[0]!, this.#samples.at(-1)!]
    const seconds = (last.at - first.at) / 1000
    const rate = seconds > 0 ? (last.gained - first.gained) / seconds : 0
    const left = this.#work.total - this.#done
    this.#report({
      ...this.#work,
      done: this.#done,
      rate,
      eta: left === 0 ? 0 : rate > 0 && left > 0 ? left / rate : undefined,
      ...(retry && { retry }),
    })
  }
}

/**
 * Runs work whose native half calls back: what the callback throws, or an async one rejects with, stops the work and
 * is what the call rejects with.
 */
export async function reporting<T>(
  report: OnProgress | undefined,
  stop: () => void,
  run: (report: OnProgress | undefined) => Promise<T>,
): Promise<T> {
  if (!report) return run(undefined)
  let failed: { reason: unknown } | undefined
  let fail: (reason: unknown) => void = () => {}
  const failure = new Promise<never>((_, reject) => {
    fail = (reason) => {
      if (failed) return
      failed = { reason }
      stop()
      reject(reason)
    }
  })
  failure.catch(() => {})
  const pending = run((progress) => {
    if (failed) return
    try {
      const result: unknown = report(progress)
      if (isThenable(result)) result.then(undefined, fail)
    } catch (error) {
      fail(error)
    }
  })
  const result = await Promise.race([pending, failure])
  if (failed) throw failed.reason
  return result
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function'
}
