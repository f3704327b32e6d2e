// Walks and reads in a thread that may be lost: a file that ends it, or keeps it for too long, is one that failed.
import { Qwen3Error } from '../../index.ts'
import { Thread } from '../../thread/thread.ts'
import type { Entry, ReadFile, Rules, SameFile, Wanted } from '../types.ts'
import type { Document } from '../options.ts'
import { Unreadable } from './document.ts'
import { refused } from './refused.ts'
import type { Walked } from './walk.ts'
import type { FileMethods } from './worker.ts'

/** A PDF of some thousand pages takes so long. */
const longestMs = 60_000
const memoryMb = 1_024

interface Waiting {
  readonly root: string
  readonly rules: Rules
  readonly wanted: Wanted
  resolve(read: ReadFile | SameFile): void
  since: number
}

export class Reader {
  #thread: Thread<FileMethods> | undefined
  /** In their order: the first is the one at hand. */
  #waiting: Waiting[] = []
  #timer: NodeJS.Timeout | undefined
  readonly #longestMs: number
  readonly #worker: URL

  constructor(longest = longestMs, worker = new URL('./worker.js', import.meta.url)) {
    this.#longestMs = longest
    this.#worker = worker
  }

  walk(
    root: string,
    rules: Rules,
    give: (entries: Entry[]) => void,
    wantsLeft = false,
  ): Promise<Walked> {
    return this.#started().call('walk', [root, rules, wantsLeft], (news) => give(news as Entry[]))
  }

  /** Never rejects: what went wrong is said in the answer. */
  read(root: string, rules: Rules, wanted: Wanted): Promise<ReadFile | SameFile> {
    return new Promise((resolve) => {
      const waiting: Waiting = { root, rules, wanted, resolve, since: performance.now() }
      if (this.#waiting.length === 0) this.#watch()
      this.#waiting.push(waiting)
      this.#ask(waiting)
    })
  }

  given(root: number, document: Document): Promise<ReadFile> {
    return this.#started().call('given', [root, document])
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#thread?.end()
    this.#thread = undefined
    for (const waiting of this.#waiting.splice(0))
      waiting.resolve(refused(waiting.wanted, '', new Unreadable('failed', 'stopped')))
  }

  #started(): Thread<FileMethods> {
    this.#thread ??= new Thread<FileMethods>(this.#worker, undefined, {
      maxOldGenerationSizeMb: memoryMb,
    })
    return this.#thread
  }

  #ask(waiting: Waiting): void {
    const thread = this.#started()
    thread.call('read', [waiting.root, waiting.rules, waiting.wanted]).then(
      (read) => this.#done(waiting, read),
      (error) => {
        if (this.#thread === thread) this.#lost(error as Error)
      },
    )
  }

  #done(waiting: Waiting, read: ReadFile | SameFile): void {
    this.#waiting = this.#waiting.filter((one) => one !== waiting)
    const next = this.#waiting[0]
    if (next) next.since = performance.now()
    else clearInterval(this.#timer)
    waiting.resolve(read)
  }

  /** The one at hand did it; the others are asked for again. */
  #lost(error: Error): void {
    void this.#thread?.end()
    this.#thread = undefined
    const first = this.#waiting.shift()
    const isMemory = (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY'
    const why = isMemory ? `reading it took more than ${memoryMb} MiB` : error.message
    first?.resolve(refused(first.wanted, '', new Unreadable('failed', why)))
    if (this.#waiting.length === 0) clearInterval(this.#timer)
    for (const waiting of this.#waiting) {
      waiting.since = performance.now()
      this.#ask(waiting)
    }
  }

  #watch(): void {
    clearInterval(this.#timer)
    this.#timer = setInterval(
      () => {
        const first = this.#waiting[0]
        if (!first || performance.now() - first.since < this.#longestMs) return
        const seconds = Math.round(this.#longestMs / 1000)
        this.#lost(new Qwen3Error('ERR_COMPUTE', `reading it took more than ${seconds} s`))
      },
      Math.min(1_000, this.#longestMs),
    )
    this.#timer.unref()
  }
}
