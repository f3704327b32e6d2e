import { createHash, type Hash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'

/** What a server says a file's bytes hash to. Files outside LFS are named by their git object. */
export interface Digest {
  readonly kind: 'sha256' | 'git'
  readonly hex: string
}

// One update of this size takes about a millisecond at most, so the event loop stays responsive.
const chunkBytes = 512 * 1024

function hasher(kind: Digest['kind'], size: number): Hash {
  return kind === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`)
}

/**
 * Hashes a file while it is being written: reads behind the writers as far as the bytes are
 * contiguous, so parallel and resumed downloads need no second pass at the end.
 */
export class Follower {
  readonly #file: FileHandle
  readonly #size: number
  readonly #hash: Hash
  #frontier = 0
  #stopped = false
  #wake = () => {}
  readonly #reading: Promise<string>

  constructor(file: FileHandle, size: number, kind: Digest['kind']) {
    this.#file = file
    this.#size = size
    this.#hash = hasher(kind, size)
    this.#reading = this.#read()
    // The writers' own failure is the one to report when both fail.
    this.#reading.catch(() => {})
  }

  advance(frontier: number): void {
    this.#frontier = frontier
    this.#wake()
  }

  /** The hash in hex, once every byte has been passed by `advance`. */
  finish(): Promise<string> {
    return this.#reading
  }

  /** Gives up; resolves when the file is no longer being read. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#wake()
    await this.#reading.catch(() => {})
  }

  async #read(): Promise<string> {
    const buffer = Buffer.allocUnsafe(chunkBytes)
    let at = 0
    while (at < this.#size) {
      if (this.#stopped) throw new Error('the reader was stopped')
      if (at >= this.#frontier) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
        continue
      }
      const length = Math.min(buffer.length, this.#frontier - at)
      const { bytesRead } = await this.#file.read(buffer, 0, length, at)
      if (bytesRead === 0) throw new Error('the file is shorter than what was written to it')
      this.#hash.update(buffer.subarray(0, bytesRead))
      at += bytesRead
    }
    return this.#hash.digest('hex')
  }
}

/** Hashes a finished file. */
export async function hashFile(
  path: string,
  kind: Digest['kind'],
  signal?: AbortSignal,
  onBytes?: (read: number, total: number) => void,
): Promise<string> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const hash = hasher(kind, size)
    const buffer = Buffer.allocUnsafe(chunkBytes)
    for (let at = 0; ; ) {
      signal?.throwIfAborted()
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at)
      if (bytesRead === 0) return hash.digest('hex')
      hash.update(buffer.subarray(0, bytesRead))
      at += bytesRead
      onBytes?.(at, size)
    }
  } finally {
    await file.close()
  }
}
