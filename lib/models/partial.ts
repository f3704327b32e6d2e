import {
  type FileHandle,
  open,
  readFile,
  rename,
  statfs,
  unlink,
  writeFile,
} from 'node:fs/promises'
import { dirname } from 'node:path'
import { Qwen3Error } from '../errors.ts'
import type { Lease } from './lock.ts'
import { type Span, Spans } from './spans.ts'

/** What must be the same for bytes of an earlier run to be of use. */
export interface Identity {
  readonly size: number
  /** A hash of the whole file or a strong validator of the server; without one nothing is resumed. */
  readonly tag: string | undefined
}

const saveEveryMs = 1_000

/**
 * A file on its way: `BASE.incomplete` with holes in it, and `BASE.json` that says which bytes are
 * there. The note is written after the bytes it speaks of, so a process may die between any two steps.
 */
export class PartialFile {
  readonly path: string
  readonly file: FileHandle
  readonly resumedBytes: number
  readonly #base: string
  readonly #identity: Identity
  readonly #lease: Lease
  #spans: Spans
  #savedAt = performance.now()
  #saving: Promise<void> | undefined

  private constructor(
    base: string,
    file: FileHandle,
    identity: Identity,
    spans: Spans,
    lease: Lease,
  ) {
    this.path = `${base}.incomplete`
    this.file = file
    this.resumedBytes = spans.bytes
    this.#base = base
    this.#identity = identity
    this.#spans = spans
    this.#lease = lease
  }

  static async open(base: string, identity: Identity, lease: Lease): Promise<PartialFile> {
    const earlier = await readNote(base, identity)
    if (earlier !== undefined) {
      const file = await open(`${base}.incomplete`, 'r+').catch(() => undefined)
      if (file !== undefined) {
        const { size } = await file.stat()
        const reach = Math.max(0, ...earlier.toJSON().map(([, end]) => end))
        if (size >= reach && size <= identity.size) {
          return new PartialFile(base, file, identity, earlier, lease)
        }
        await file.close()
      }
    }
    // The note goes first: bytes without a note are worthless, a note without its bytes is a lie.
    await remove(`${base}.json`)
    const file = await open(`${base}.incomplete`, 'w+')
    return new PartialFile(base, file, identity, new Spans(), lease)
  }

  get bytes(): number {
    return this.#spans.bytes
  }

  get frontier(): number {
    return this.#spans.frontier
  }

  missing(): Span[] {
    return this.#spans.missing(0, this.#identity.size)
  }

  /** Writes what is not there yet; bytes that are there have been hashed and must not change. */
  async write(chunk: Uint8Array, at: number): Promise<number> {
    await this.#lease.hold()
    let written = 0
    for (const [start, end] of this.#spans.missing(at, at + chunk.length)) {
      for (let from = start; from < end; ) {
        const { bytesWritten } = await this.file.write(chunk, from - at, end - from, from)
        from += bytesWritten
      }
      this.#spans.add(start, end)
      written += end - start
    }
    if (performance.now() - this.#savedAt > saveEveryMs) await this.save()
    return written
  }

  /** Notes what is there, once it is on the disk. */
  async save(): Promise<void> {
    if (this.#saving !== undefined) return this.#saving
    this.#savedAt = performance.now()
    const note = JSON.stringify({ ...this.#identity, spans: this.#spans })
    this.#saving = this.#write(note).finally(() => {
      this.#saving = undefined
    })
    return this.#saving
  }

  /** The bytes are complete and verified: gives them their final name. */
  async finish(path: string): Promise<void> {
    await this.#saving
    await this.#lease.hold()
    await this.file.sync()
    await this.file.close()
    await rename(this.path, path)
    await remove(`${this.#base}.json`)
  }

  /** Leaves what came to a later run. */
  async suspend(): Promise<void> {
    await this.#saving?.catch(() => {})
    // The reason to stop is already on its way to the caller; a second failure here would hide it.
    if (this.#identity.tag === undefined || this.bytes === 0) return this.discard().catch(() => {})
    await this.save().catch(() => {})
    await this.file.close()
  }

  /** The bytes are wrong: forgets them. */
  async discard(): Promise<void> {
    await this.#saving?.catch(() => {})
    await this.file.close()
    await this.#lease.hold()
    await remove(`${this.#base}.json`)
    await remove(this.path)
  }

  async #write(note: string): Promise<void> {
    await this.#lease.hold()
    await this.file.datasync()
    await writeFile(`${this.#base}.json.new`, note)
    await rename(`${this.#base}.json.new`, `${this.#base}.json`)
  }
}

/** How many bytes another process has noted so far. */
export async function notedBytes(base: string): Promise<number> {
  try {
    const note = JSON.parse(await readFile(`${base}.json`, 'utf8'))
    return Spans.from(note.spans, note.size)?.bytes ?? 0
  } catch {
    return 0
  }
}

/** Throws before anything is fetched when the disk cannot take it. */
export async function checkSpace(folder: string, needed: number): Promise<void> {
  const disk = await statfs(folder).catch(() => undefined)
  // Some network file systems report nothing at all.
  if (disk === undefined || disk.blocks === 0) return
  const free = disk.bavail * disk.bsize
  if (needed <= free) return
  throw new Qwen3Error(
    'ERR_DISK_FULL',
    `The download needs ${gigabytes(needed)} but ${folder} has ${gigabytes(free)} free`,
    { folder, needed, free },
    { remedy: 'Free some space, or set HF_HUB_CACHE to a folder on a larger disk.' },
  )
}

async function readNote(base: string, identity: Identity): Promise<Spans | undefined> {
  if (identity.tag === undefined) return undefined
  try {
    const note = JSON.parse(await readFile(`${base}.json`, 'utf8'))
    if (note.tag !== identity.tag || note.size !== identity.size) return undefined
    return Spans.from(note.spans, identity.size)
  } catch {
    return undefined
  }
}

async function remove(path: string): Promise<void> {
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
}

/** The folder is part of the message, so a full disk says which one. */
export function explainDisk(error: unknown, path: string): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new Qwen3Error(
      'ERR_DISK_FULL',
      `The disk filled up while writing to ${dirname(path)}`,
      { folder: dirname(path) },
      {
        remedy: 'Free some space and run the same again: the download continues where it stopped.',
        cause: error,
      },
    )
  }
  return error
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(2)} GB`
}
