import { access, constants, type FileHandle, open, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { EmbeddedText } from '../index.ts'
import {
  type Checkpoint,
  type JobIdentity,
  noTexts,
  readCheckpoint,
  removeFile,
  writeCheckpoint,
} from './checkpoint.ts'
import { Misuse } from './misuse.ts'
import { OutputLock } from './output-lock.ts'
import type { Format } from './rows.ts'

export interface OutputFileOptions {
  readonly format: Format
  readonly job: JobIdentity
  readonly restart: boolean
  readonly checkpointMs: number
}

/**
 * A file of rows that survives a kill at any moment. Rows go to `FILE.partial`; `FILE.progress` is written after they
 * are on the disk and says how many bytes of it count; FILE itself appears when all rows are there.
 */
export class OutputFile {
  readonly path: string
  readonly #file: FileHandle | undefined
  readonly #lock: OutputLock
  readonly #options: OutputFileOptions
  #state: Checkpoint
  #savedAt = performance.now()

  private constructor(
    path: string,
    file: FileHandle | undefined,
    lock: OutputLock,
    options: OutputFileOptions,
    state: Checkpoint,
  ) {
    this.path = path
    this.#file = file
    this.#lock = lock
    this.#options = options
    this.#state = state
  }

  static async open(path: string, options: OutputFileOptions): Promise<OutputFile> {
    const facts = await stat(path).catch(() => undefined)
    if (facts && !facts.isFile()) {
      throw new Misuse(`--output takes a file, which ${path} is not; leave it out for stdout`)
    }
    const lock = await OutputLock.take(path)
    try {
      return await OutputFile.#open(path, lock, options)
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  static async #open(
    path: string,
    lock: OutputLock,
    options: OutputFileOptions,
  ): Promise<OutputFile> {
    const partial = `${path}.partial`
    const { format, job, restart } = options
    const there = await stat(partial).catch(() => undefined)
    const whole = await stat(path).catch(() => undefined)
    let found = restart ? undefined : await readCheckpoint(`${path}.progress`, job)
    // Someone took the finished file away before its progress was.
    if (found?.complete && !there && whole?.size !== found.bytes) found = undefined
    if (found?.complete) {
      if (there) await rename(partial, path)
      await removeFile(`${path}.progress`)
      return new OutputFile(path, undefined, lock, options, found)
    }
    if (found && (there?.size ?? 0) < found.bytes) {
      throw new Error(
        `${partial} is shorter than ${path}.progress says: it was changed by something else. ` +
          'Begin anew with --restart',
      )
    }
    // The old progress goes first: it must not speak of a file that begins anew.
    if (!found) await removeFile(`${path}.progress`)
    const file = await open(partial, found ? 'r+' : 'w')
    const head = format.head(0)
    const fresh = { rows: 0, bytes: head.length, tokens: 0, failed: 0, digest: noTexts }
    const state = found ?? { version: 1, job, ...fresh, complete: false }
    const output = new OutputFile(path, file, lock, options, state)
    await file.truncate(found?.bytes ?? 0)
    if (!found) await writeWhole(file, head, 0)
    return output
  }

  /** Nothing is left to do: an earlier run was killed after its last row. */
  get isComplete(): boolean {
    return this.#file === undefined
  }

  get rows(): number {
    return this.#state.rows
  }

  get failed(): number {
    return this.#state.failed
  }

  get tokens(): number {
    return this.#state.tokens
  }

  get digest(): string {
    return this.#state.digest
  }

  /** Appends rows; `digest` is that of all texts up to the last of them. */
  async write(embedded: readonly EmbeddedText[], digest: string): Promise<void> {
    const state = this.#state
    const rows = embedded.map((one, i) => this.#options.format.row(one, state.rows + i))
    const whole = Buffer.concat(rows)
    await writeWhole(this.#file!, whole, state.bytes)
    this.#state = {
      ...state,
      rows: state.rows + embedded.length,
      bytes: state.bytes + whole.length,
      tokens: state.tokens + embedded.reduce((sum, one) => sum + one.tokens, 0),
      failed: state.failed + embedded.filter((one) => one.error).length,
      digest,
    }
    if (performance.now() - this.#savedAt >= this.#options.checkpointMs) await this.#save()
  }

  /** Keeps what is there for a later run. */
  async suspend(): Promise<void> {
    try {
      await this.#save()
      await this.#file!.close()
    } finally {
      await this.#lock.release()
    }
  }

  /** Gives the file its name. */
  async finish(): Promise<void> {
    if (this.#file === undefined) return this.#lock.release()
    const { rows, bytes } = this.#state
    const tail = this.#options.format.tail(rows)
    await writeWhole(this.#file, tail, bytes)
    this.#state = { ...this.#state, bytes: bytes + tail.length, complete: true }
    await this.#save()
    await this.#file.close()
    await rename(`${this.path}.partial`, this.path)
    await syncFolder(dirname(this.path))
    await removeFile(`${this.path}.progress`)
    await this.#lock.release()
  }

  async #save(): Promise<void> {
    this.#savedAt = performance.now()
    await writeWhole(this.#file!, this.#options.format.head(this.#state.rows), 0)
    await this.#file!.datasync()
    await writeCheckpoint(`${this.path}.progress`, this.#state)
  }
}

async function writeWhole(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let from = 0; from < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, from, bytes.length - from, at + from)
    from += bytesWritten
  }
}

/** Not every system lets a folder be opened; there a rename is as lasting as it gets. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined)
  await folder?.sync().catch(() => {})
  await folder?.close()
}

/** Throws where a file cannot be written there, in words that say why. */
export async function tryOutput(path: string | undefined): Promise<void> {
  if (path === undefined) return
  const facts = await stat(path).catch(() => undefined)
  if (facts && !facts.isFile()) {
    throw new Misuse(`--output takes a file, which ${path} is not; leave it out for stdout`)
  }
  const folder = dirname(path)
  await access(folder, constants.W_OK | constants.X_OK).catch((error: NodeJS.ErrnoException) => {
    const why: Record<string, string> = {
      ENOENT: `There is no folder ${folder} for --output: make it first`,
      ENOTDIR: `${folder} is no folder, and --output is to be in it`,
      EACCES: `This user may not write to ${folder}, where --output is to be`,
      EROFS: `${folder}, where --output is to be, is on a disk that cannot be written to`,
    }
    throw new Misuse(why[error.code ?? ''] ?? `--output ${path}: ${error.message}`, {
      cause: error,
    })
  })
}
