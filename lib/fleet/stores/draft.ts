// Files that are being written, before they have their name.
import { createHash, type Hash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { pipeline } from 'node:stream/promises'
import { diskError } from './disk.ts'
import type { Published, Store } from './store.ts'

/** A name that no other process takes. */
export const draftName = (name: string): string =>
  `${name.replaceAll('/', '.')}.${hostname()}.${process.pid}.${randomBytes(4).toString('hex')}`

export async function sha256Of(
  path: string,
  from = 0,
  to = Number.POSITIVE_INFINITY,
): Promise<string> {
  const hash = createHash('sha256')
  if (to > from) {
    const end = Number.isFinite(to) ? { end: to - 1 } : {}
    await pipeline(createReadStream(path, { start: from, highWaterMark: 1 << 20, ...end }), hash)
  }
  return hash.digest('hex')
}

/** Written once, from its start to its end, and hashed as it goes. */
export class Draft {
  readonly path: string
  readonly #file: FileHandle
  readonly #hash: Hash = createHash('sha256')
  bytes = 0

  private constructor(path: string, file: FileHandle) {
    this.path = path
    this.#file = file
  }

  static async open(store: Store, name: string): Promise<Draft> {
    const path = await store.draft(name).catch(diskError(store.root))
    return new Draft(path, await open(path, 'wx').catch(diskError(path)))
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes)
    this.bytes += bytes.length
    await this.#file.writeFile(bytes).catch(diskError(this.path))
  }

  /** @returns its sha256, once it is on the disk */
  async seal(): Promise<string> {
    await this.#file.sync().catch(diskError(this.path))
    await this.#file.close()
    return this.#hash.digest('hex')
  }

  async discard(): Promise<void> {
    await this.#file.close().catch(() => {})
    await unlink(this.path).catch(() => {})
  }
}

export async function publishBytes(
  store: Store,
  name: string,
  bytes: Uint8Array,
): Promise<Published> {
  const draft = await Draft.open(store, name)
  try {
    await draft.write(bytes)
    return await store.publish(name, draft.path, await draft.seal())
  } finally {
    await draft.discard()
  }
}
