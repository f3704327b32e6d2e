import { Qwen3Error } from '../../index.ts'

/** Something odd about a data set that does not stop the work: said once, with how often and where first. */
export interface Remark {
  code: string
  message: string
  count: number
  /** The first place or name it was met at. */
  example: string
}

export class Remarks {
  readonly #found = new Map<string, Remark>()

  add(code: string, message: string, example: string, count = 1): void {
    const known = this.#found.get(code)
    if (known) known.count += count
    else this.#found.set(code, { code, message, count, example })
  }

  list(): Remark[] {
    return [...this.#found.values()]
  }
}

/** What is wrong with the data, where, and the remedy. */
export function wrongData(
  message: string,
  facts: Record<string, string | number> = {},
): Qwen3Error {
  return new Qwen3Error('ERR_DATASET', message, facts)
}
