import { clock } from './numbers.ts'
import { bar, type Screen } from './terminal.ts'

const drawEveryMs = 100
/** Work that is over by then needs no bar. */
const firstDrawMs = 400
const firstLineMs = 5_000
const lineEveryMs = 15_000
const widestBar = 24

export interface ProgressOptions {
  readonly quiet?: boolean
  readonly screen?: Screen
  readonly now?: () => number
}

/** How far long work is: one line redrawn on a terminal, a plain line now and then elsewhere. */
export class Progress {
  readonly #label: string
  readonly #quiet: boolean
  readonly #screen: Screen
  readonly #now: () => number
  readonly #startedAt: number
  #nextAt: number
  #drawn = false
  #first: { fraction: number; at: number } | undefined

  constructor(label: string, options: ProgressOptions = {}) {
    const { quiet = false, screen = process.stderr, now = () => performance.now() } = options
    this.#label = label
    this.#quiet = quiet
    this.#screen = screen
    this.#now = now
    this.#startedAt = now()
    this.#nextAt = this.#startedAt + (screen.isTTY ? firstDrawMs : firstLineMs)
  }

  get seconds(): number {
    return (this.#now() - this.#startedAt) / 1000
  }

  /** `fraction` is undefined where the end is not known. */
  update(fraction: number | undefined, detail: string): void {
    const at = this.#now()
    if (fraction !== undefined) this.#first ??= { fraction, at }
    if (this.#quiet || at < this.#nextAt) return
    this.#nextAt = at + (this.#screen.isTTY ? drawEveryMs : lineEveryMs)
    const percent = fraction === undefined ? [] : [`${Math.floor(100 * fraction)}%`.padStart(4)]
    const rest = [detail, this.#remaining(fraction, at)].filter((part) => part !== '')
    if (!this.#screen.isTTY) {
      this.#screen.write(`${[`${this.#label}:`, ...percent, ...rest].join('  ')}\n`)
      return
    }
    const room = Math.max(20, (this.#screen.columns || 80) - 1)
    const words = [this.#label, ...percent, ...rest].join('  ')
    const width = Math.min(widestBar, room - words.length - 4)
    const drawing = fraction !== undefined && width >= 6 ? [`▕${bar(fraction, width)}▏`] : []
    const line = [this.#label, ...percent, ...drawing, ...rest].join('  ')
    this.#screen.write(`\r\x1b[2K${line.slice(0, room)}`)
    this.#drawn = true
  }

  /** Takes the bar away and leaves a sentence, if there is something to say. */
  end(sentence = ''): void {
    if (this.#drawn) this.#screen.write('\r\x1b[2K')
    this.#drawn = false
    if (sentence !== '' && !this.#quiet) this.#screen.write(`${sentence}\n`)
  }

  #remaining(fraction: number | undefined, at: number): string {
    if (fraction === undefined || this.#first === undefined) return ''
    const gained = fraction - this.#first.fraction
    const seconds = ((at - this.#first.at) / 1000) * ((1 - fraction) / gained)
    return gained > 0 && at - this.#first.at > 1000 ? `${clock(seconds)} left` : ''
  }
}
