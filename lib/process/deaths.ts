// How often a child died lately, and what follows from it.
import type { Qwen3Error } from '../errors.ts'
import { deathError, oomKills, tooManyDeaths } from './death.ts'
import type { Exit } from './spawn.ts'

const minute = 60_000

export interface Death {
  readonly error: Qwen3Error
  /** For a call that was there at the death before, too. */
  ofSuspect(): Qwen3Error
}

export class Deaths {
  readonly #mostAMinute: number
  #recent: number[] = []
  #count = 0
  #last: Qwen3Error | undefined
  #oomKills = 0
  /** Of children that never came so far as to be of use. */
  futile = 0

  constructor(mostAMinute: number) {
    this.#mostAMinute = mostAMinute
  }

  /** A child begins. */
  watch(): void {
    this.#oomKills = oomKills()
  }

  /** It has loaded. */
  survived(): void {
    this.futile = 0
  }

  record(exit: Exit | Error, stderr: string): Death {
    const isKill =
      !(exit instanceof Error) && exit.signal === 'SIGKILL' && exit.hungSeconds === undefined
    const oomKilled = isKill && oomKills() > this.#oomKills
    const told = { stderr, restarts: this.#count++, oomKilled }
    const error = deathError(exit, { ...told, suspect: false })
    this.#last = error
    this.futile++
    this.#recent = [...this.#ofLastMinute(), Date.now()]
    return { error, ofSuspect: () => deathError(exit, { ...told, suspect: true }) }
  }

  /** Why nothing is started now, if it is not. */
  refusal(): Qwen3Error | undefined {
    const over = this.#ofLastMinute().at(-1 - this.#mostAMinute)
    if (over === undefined) return undefined
    const seconds = Math.ceil((over + minute - Date.now()) / 1000)
    return tooManyDeaths(this.#last!, seconds)
  }

  /** Milliseconds until the next start: 0, then 250, 1000, … while none comes so far. */
  get wait(): number {
    return this.futile < 2 ? 0 : 62.5 * 4 ** Math.min(this.futile - 1, 4)
  }

  #ofLastMinute(): number[] {
    return this.#recent.filter((at) => at > Date.now() - minute)
  }
}
