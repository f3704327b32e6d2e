import type { Progress as Event } from '../index.ts'
import { bytes, clock, count } from './numbers.ts'
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

  /** For `onProgress` of any call. */
  readonly follow = (event: Event): void => {
    const { done, total, unit, file, rate, retry } = event
    if (retry) {
      const { reason, attempt, attempts, seconds } = retry
      this.say(
        `${this.#label}: attempt ${attempt} of ${attempts} failed: ${reason}; again in ${seconds.toFixed(1)} s`,
      )
      return
    }
    const amount = unit === 'bytes' ? bytes : count
    const of = total > 0 ? ` of ${amount(total)}` : ''
    const many = unit === 'bytes' ? '' : ` ${unit}`
    const speed = unit === 'bytes' && rate > 0 ? `  ${bytes(Math.round(rate))}/s` : ''
    const detail = unit === 'steps' ? '' : `${amount(done)}${of}${many}${speed}`
    const named = unit === 'bytes' && file ? `${file}  ` : ''
    this.update(total > 0 ? done / total : undefined, `${named}${detail}`)
  }

  /** A line that stays. */
  say(sentence: string): void {
    if (this.#quiet) return
    if (this.#drawn) this.#screen.write('\r\x1b[2K')
    this.#drawn = false
    this.#screen.write(`${sentence}\n`)
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
