// Where a model's weights are: in memory, or freed until the next call; exchanged for others between two calls.
import { added, type Engine, type EngineStats, noStats } from './engine.ts'
import { Qwen3Error } from './errors.ts'
import type { Control } from './job.ts'

/** Opens the engine once more, from the same file. */
export type Open = (control: Control) => Promise<Engine>

/** Several models share one budget: asked before weights are read, told when a model is idle. */
export interface Budget {
  /** Resolves when there is room; holds it until `free`. Throws where there can never be. */
  take(resident: Resident, signal: AbortSignal | undefined): Promise<void>
  /** The room was not needed, or is not any more. */
  free(resident: Resident): void
  /** Its last call ended. */
  idle(resident: Resident): void
}

/** What a budget sees of a model. */
export interface Resident {
  readonly path: string
  readonly bytes: number
  readonly users: number
  /** When its last call ended, in milliseconds. */
  readonly usedAt: number
  unload(): Promise<void>
}

export interface ResidenceOptions {
  readonly path: string
  /** Of the weights, for a budget. */
  readonly bytes: number
  /** Milliseconds without a call after which the weights are freed. */
  readonly idleMs: number
  readonly budget: Budget | undefined
}

export class Residence implements Resident {
  readonly #options: ResidenceOptions
  #open: Open
  #engine: Engine | undefined
  #loading: Promise<Engine> | undefined
  /** Engines that give their memory back. */
  #leaving: Promise<unknown> = Promise.resolve()
  #before: EngineStats | undefined
  #timer: NodeJS.Timeout | undefined
  #isClosed = false
  users = 0
  usedAt = performance.now()

  private constructor(open: Open, options: ResidenceOptions) {
    this.#open = open
    this.#options = options
  }

  static async load(open: Open, options: ResidenceOptions, control: Control): Promise<Residence> {
    const residence = new Residence(open, options)
    await residence.#load(control)
    residence.#rest()
    return residence
  }

  get path(): string {
    return this.#options.path
  }

  get bytes(): number {
    return this.#options.bytes
  }

  get engine(): Engine | undefined {
    return this.#engine
  }

  /** Runs `work` on the engine, which is loaded again if it has to be. At once where it is there. */
  async use<T>(work: (engine: Engine) => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#isClosed) {
      throw new Qwen3Error('ERR_CLOSED', 'This model is closed', {}, { remedy: 'Load it again.' })
    }
    clearTimeout(this.#timer)
    this.users++
    try {
      return await work(this.#engine ?? (await this.#again(signal)))
    } finally {
      this.users--
      this.usedAt = performance.now()
      if (this.users === 0) this.#rest()
    }
  }

  stats(): EngineStats | undefined {
    const now = this.#engine?.stats()
    if (!this.#before) return now
    const { process } = this.#before
    const gone = process && { process: { ...process, pid: 0, memory: 0 } }
    return { ...(now ?? gone), ...added(this.#before, now ?? noStats) }
  }

  /** Frees the weights after the calls that run; the next call loads them again. */
  async unload(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#settled()
    const engine = this.#engine
    if (engine) this.#retire(engine)
    await this.#leaving
  }

  /** Later calls go to another engine; those that run end on this one. */
  async exchange(
    open: Open,
    { check, onExchange }: { check(engine: Engine): void; onExchange(engine: Engine): void },
    control: Control,
  ): Promise<void> {
    const engine = await open(control)
    try {
      check(engine)
      if (this.#isClosed) throw new Qwen3Error('ERR_CLOSED', 'This model is closed')
    } catch (error) {
      await engine.close()
      throw error
    }
    await this.#settled()
    const old = this.#engine
    this.#open = open
    if (old) this.#retire(old)
    this.#engine = engine
    onExchange(engine)
    if (this.users === 0) this.#rest()
  }

  /** Waits for earlier calls, then frees the weights for good. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.unload()
    this.#options.budget?.free(this)
  }

  /** Until no load runs, and the calls that waited for it have begun. */
  async #settled(): Promise<void> {
    while (this.#loading) {
      await this.#loading.catch(() => {})
      await new Promise((next) => setImmediate(next))
    }
  }

  async #again(signal: AbortSignal | undefined): Promise<Engine> {
    const pending = this.#load({ signal: undefined })
    if (!signal) return pending
    signal.throwIfAborted()
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal.reason)
      signal.addEventListener('abort', abort, { once: true })
      pending.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
    })
  }

  /** One load at a time, which all calls wait for. */
  #load(control: Control): Promise<Engine> {
    this.#loading ??= this.#loadOnce(control).finally(() => {
      this.#loading = undefined
    })
    return this.#loading
  }

  async #loadOnce(control: Control): Promise<Engine> {
    // Not beside the one before.
    await this.#leaving
    const { budget } = this.#options
    await budget?.take(this, control.signal)
    try {
      this.#engine = await this.#open(control)
      return this.#engine
    } catch (error) {
      budget?.free(this)
      throw error
    }
  }

  #retire(engine: Engine): void {
    if (this.#engine === engine) this.#engine = undefined
    this.#before = { ...engine.stats(), ...added(this.#before ?? noStats, engine.stats()) }
    const closing = engine.close().finally(() => {
      if (!this.#engine) this.#options.budget?.free(this)
    })
    this.#leaving = Promise.all([this.#leaving, closing])
  }

  #rest(): void {
    const { idleMs, budget } = this.#options
    budget?.idle(this)
    clearTimeout(this.#timer)
    if (!this.#engine || idleMs === 0) return
    this.#timer = setTimeout(() => {
      if (this.users === 0) void this.unload()
    }, idleMs)
    this.#timer.unref()
  }
}
