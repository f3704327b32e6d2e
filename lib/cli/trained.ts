// What a training shows while it runs and when it is done: of train, and of tune.
import type { TrainOptions, TrainResult } from '../train/index.ts'
import type { Session } from './command.ts'
import { Progress } from './progress.ts'

/** The exit code of a training whose adapter was not shown to be better. */
export const notBetter = 3

/** A bar for each phase. */
export class Bars {
  readonly #session: Session
  #phase = ''
  #bar: Progress | undefined

  constructor(session: Session) {
    this.#session = session
  }

  readonly follow: NonNullable<TrainOptions['onProgress']> = ({ phase, done, total, ...at }) => {
    if (phase !== this.#phase) {
      this.end()
      this.#bar = new Progress(phase, this.#session)
      this.#phase = phase
    }
    const figures =
      at.loss === undefined
        ? ''
        : `  loss ${at.loss.toFixed(4)}  ${Math.round(at.rowsPerSecond ?? 0)} rows/s`
    this.#bar!.update(
      total > 0 ? done / total : undefined,
      `${done} of ${total} ${at.unit}${figures}`,
    )
  }

  end(): void {
    this.#bar?.end()
    this.#bar = undefined
    this.#phase = ''
  }
}

export function told(result: TrainResult): string {
  const { adopted, adapter, steps, loss, examples, skipped, cut, dev, guard } = result
  const left = [
    ...(skipped > 0 ? [`${skipped} rows with an empty text were left out`] : []),
    ...(cut > 0 ? [`${cut} texts lost their ends`] : []),
  ]
  const lines = [
    `${examples} examples, ${steps} steps, loss ${loss.first.toFixed(3)} to ${loss.last.toFixed(3)}`,
    ...left,
    ...(dev ? ['', dev.text] : []),
    ...(guard ? [guard.text] : []),
  ]
  if (adopted === false)
    lines.push(adapter ? 'Not better: kept as you asked.' : 'Not better: not adopted.')
  else if (adopted) lines.push('Better: adopted.')
  if (adapter) lines.push(`adapter: ${adapter}`)
  return `${lines.join('\n')}\n`
}
