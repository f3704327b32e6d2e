/** How far one file is. */
export interface Progress {
  readonly file: string
  /** Bytes on this disk, those of earlier runs included. */
  readonly received: number
  readonly total: number
  /** Over the last seconds; 0 while nothing is known. */
  readonly bytesPerSecond: number
}

export type OnProgress = (progress: Progress) => void

const reportEveryMs = 100
const windowMs = 5_000

/** Turns arriving bytes into reports that are rare enough to draw. */
export class Meter {
  readonly #file: string
  readonly #total: number
  readonly #report: OnProgress | undefined
  #received = 0
  #arrived = 0
  #reportedAt = Number.NEGATIVE_INFINITY
  #samples: { at: number; arrived: number }[] = []

  constructor(file: string, total: number, report: OnProgress | undefined) {
    this.#file = file
    this.#total = total
    this.#report = report
  }

  /** Bytes that came over the network just now, and how many the file has. */
  add(arrived: number, received: number): void {
    this.#arrived += arrived
    this.#received = received
    const now = performance.now()
    if (now - this.#reportedAt < reportEveryMs) return
    this.#reportedAt = now
    this.#samples.push({ at: now, arrived: this.#arrived })
    while (this.#samples.length > 2 && this.#samples[0]!.at < now - windowMs) this.#samples.shift()
    this.#emit()
  }

  done(): void {
    this.#received = this.#total
    this.#emit()
  }

  #emit(): void {
    const first = this.#samples[0]
    const last = this.#samples.at(-1)
    const seconds = first === undefined ? 0 : (last!.at - first.at) / 1000
    this.#report?.({
      file: this.#file,
      received: this.#received,
      total: this.#total,
      bytesPerSecond: seconds > 0 ? Math.round((last!.arrived - first!.arrived) / seconds) : 0,
    })
  }
}
