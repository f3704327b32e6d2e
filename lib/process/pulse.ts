// Whether a child still answers while somebody waits for it: one that hangs does not end by itself.

/** How long silence may last: `missed` pings in a row, `everyMs` milliseconds apart. */
export const patience = { everyMs: 5_000, missed: 6 }

/**
 * A child computes on threads of the addon's, so its event loop answers pings within milliseconds however long a text is.
 * Pings are counted, not time: a host that was stopped itself (a debugger, a laptop's lid) gets one tick late for all of
 * it, and the child the whole patience again.
 */
export class Pulse {
  readonly #ping: () => void
  readonly #onSilent: (seconds: number) => void
  #timer: NodeJS.Timeout | undefined
  #missed = 0
  #lastTick = 0

  constructor(ping: () => void, onSilent: (seconds: number) => void) {
    this.#ping = ping
    this.#onSilent = onSilent
  }

  /** Somebody waits for the child, or nobody does. */
  watch(isAwaited: boolean): void {
    if (!isAwaited) {
      clearInterval(this.#timer)
      this.#timer = undefined
    } else if (!this.#timer) {
      this.#missed = 0
      this.#lastTick = performance.now()
      // What keeps this process running is the child, not the watch over it.
      this.#timer = setInterval(() => this.#tick(), patience.everyMs).unref()
      this.#ping()
    }
  }

  /** The child said something, whatever it was. */
  heard(): void {
    this.#missed = 0
  }

  #tick(): void {
    const now = performance.now()
    const wasAway = now - this.#lastTick > 2 * patience.everyMs
    this.#lastTick = now
    this.#missed = wasAway ? 0 : this.#missed + 1
    if (this.#missed < patience.missed) {
      this.#ping()
      return
    }
    this.watch(false)
    this.#onSilent((patience.everyMs * patience.missed) / 1000)
  }
}
