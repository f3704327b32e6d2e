import type { EvalProgress } from '../../eval/index.ts'
import type { Session } from '../command.ts'
import { count } from '../numbers.ts'
import { Progress } from '../progress.ts'

/** A bar for each step of the work. */
export class Steps {
  readonly #session: Session
  #step = ''
  #progress: Progress | undefined

  constructor(session: Session) {
    this.#session = session
  }

  update({ step, done, total }: EvalProgress): void {
    if (step !== this.#step) {
      this.end()
      this.#step = step
      this.#progress = new Progress(step, this.#session)
    }
    this.#progress!.update(total === 0 ? 1 : done / total, `${count(done)} of ${count(total)}`)
  }

  end(): void {
    this.#progress?.end()
    this.#step = ''
  }
}
