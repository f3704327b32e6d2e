// What a parser makes of a file's bytes, and how its text is cut.
import type { Kind } from '../types.ts'

export interface Document {
  readonly kind: Kind
  /** What passages are cut from and shown of. */
  readonly text: string
  readonly cut: 'markdown' | 'text' | 'code' | 'rows'
  /** '' where it says none. */
  readonly title: string
  /** Milliseconds since 1970, where it says so itself. */
  readonly date?: number | undefined
  /** Where each page begins in the text. */
  readonly pages?: readonly number[] | undefined
  /** In front of every passage, where headings are not in the text. */
  readonly head?: string | undefined
  /** What is missing of it. */
  readonly remark?: string | undefined
}

/** Why a file is not read; its message is for the report. */
export class Unreadable extends Error {
  readonly state: 'skipped' | 'failed'

  constructor(state: 'skipped' | 'failed', why: string) {
    super(why)
    this.state = state
  }
}
