// Several models in one budget of memory: the one used longest ago gives its memory back for the next one.
import { misuse, Qwen3Error, refuseUnknown } from './errors.ts'
import type { Budget, Resident } from './residence.ts'

export interface PoolOptions {
  /** Bytes of the files of all models that are in memory at one time. @default no limit */
  maxMemory?: number | undefined
  /** Models that are in memory at one time. @default no limit */
  maxLoaded?: number | undefined
}

/** Made by {@link createPool}, given to `load`. */
export class Pool implements Budget {
  readonly #maxMemory: number
  readonly #maxLoaded: number
  readonly #loaded = new Set<Resident>()
  /** One load at a time: two that fit alone may not fit together. */
  #turn: Promise<unknown> = Promise.resolve()
  #onChange: (() => void)[] = []

  /** @internal */
  constructor({ maxMemory, maxLoaded }: PoolOptions) {
    this.#maxMemory = maxMemory ?? Number.POSITIVE_INFINITY
    this.#maxLoaded = maxLoaded ?? Number.POSITIVE_INFINITY
  }

  /** Models in memory. */
  get loaded(): number {
    return this.#loaded.size
  }

  /** Bytes of their files. */
  get memory(): number {
    return [...this.#loaded].reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** @internal */
  take(resident: Resident, signal: AbortSignal | undefined): Promise<void> {
    const taken = this.#turn.then(() => this.#makeRoom(resident, signal))
    this.#turn = taken.catch(() => {})
    return taken
  }

  /** @internal */
  free(resident: Resident): void {
    this.#loaded.delete(resident)
    this.#tell()
  }

  /** @internal */
  idle(_: Resident): void {
    this.#tell()
  }

  async #makeRoom(resident: Resident, signal: AbortSignal | undefined): Promise<void> {
    const { bytes, path } = resident
    if (bytes > this.#maxMemory) {
      throw new Qwen3Error(
        'ERR_OUT_OF_MEMORY',
        `${path} has ${bytes} bytes and the pool holds ${this.#maxMemory}`,
        { path, bytes, limit: this.#maxMemory },
        { remedy: 'Give the pool more maxMemory, or load a smaller model.' },
      )
    }
    this.#loaded.delete(resident)
    for (;;) {
      signal?.throwIfAborted()
      if (this.#loaded.size < this.#maxLoaded && this.memory + bytes <= this.#maxMemory) break
      const idle = [...this.#loaded].filter(({ users }) => users === 0)
      const [oldest] = idle.sort((a, b) => a.usedAt - b.usedAt)
      // Nothing that runs is ended for it.
      if (oldest) await oldest.unload()
      else await this.#change(signal)
    }
    this.#loaded.add(resident)
  }

  #change(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      this.#onChange.push(resolve)
      signal?.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  #tell(): void {
    for (const resolve of this.#onChange.splice(0)) resolve()
  }
}

/**
 * A budget for several models: give it to each load. A model that finds no room waits until others are idle, and the one
 * used longest ago gives its memory back; its next call loads it again. Calls that run are never ended for it.
 *
 * A model larger than the whole budget is refused with `ERR_OUT_OF_MEMORY` before anything of it is read.
 *
 * @throws TypeError, RangeError for wrong options.
 */
export function createPool(options: PoolOptions = {}): Pool {
  refuseUnknown(options, ['maxMemory', 'maxLoaded'], 'option')
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue
    if (typeof value !== 'number') throw misuse(TypeError, 'a number', `the option ${name}`, value)
    if (value >= 1) continue
    throw misuse(RangeError, 'a number from 1 on', `the option ${name}`, value)
  }
  return new Pool(options)
}
