// What was made so far, a line for each passage, so that a kill costs the passage that was being asked for.
import { createHash } from 'node:crypto'
import { type FileHandle, open, readFile, rm } from 'node:fs/promises'
import { Qwen3Error } from '../../errors.ts'

/** Of one passage: the queries that have a form, and how many had none. */
export interface Made {
  passage: string
  queries: { query: string; source: Record<string, unknown> }[]
  formless: number
  /** The passage was too long for a call, which was told its beginning. */
  shortened?: boolean
}

export class Journal {
  readonly #path: string | undefined
  readonly #known = new Map<string, Made>()
  #file: FileHandle | undefined

  private constructor(path: string | undefined) {
    this.#path = path
  }

  /** @throws Qwen3Error `ERR_MODEL_CHANGED` where it is of another job. */
  static async open(path: string | undefined, identity: object): Promise<Journal> {
    const journal = new Journal(path)
    if (path === undefined) return journal
    const digest = createHash('sha256').update(JSON.stringify(identity)).digest('hex')
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return ''
      throw error
    })
    // A line without an end was being written when the process died.
    const whole = text.slice(0, text.lastIndexOf('\n') + 1)
    const [head, ...lines] = whole.split('\n').filter((line) => line !== '')
    if (head !== undefined && JSON.parse(head).job !== digest) {
      throw new Qwen3Error(
        'ERR_MODEL_CHANGED',
        `${path} is of a job with other documents or options`,
        { path },
        { remedy: 'Give back what it was begun with, choose another output, or delete it.' },
      )
    }
    for (const line of lines) {
      const made = JSON.parse(line) as Made
      journal.#known.set(made.passage, made)
    }
    journal.#file = await open(path, 'a')
    await journal.#file.truncate(Buffer.byteLength(whole))
    if (head === undefined) await journal.#file.write(`${JSON.stringify({ job: digest })}\n`)
    return journal
  }

  get(passage: string): Made | undefined {
    return this.#known.get(passage)
  }

  async add(made: Made): Promise<void> {
    this.#known.set(made.passage, made)
    await this.#file?.write(`${JSON.stringify(made)}\n`)
  }

  async close(): Promise<void> {
    await this.#file?.close()
    this.#file = undefined
  }

  /** When its rows are safe elsewhere. */
  async remove(): Promise<void> {
    await this.close()
    if (this.#path !== undefined) await rm(this.#path, { force: true })
  }
}
