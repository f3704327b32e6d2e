// The folder of a job: names in it, and files that appear whole or not at all.
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { link, open, rename, stat, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'

export interface Folder {
  readonly root: string
  readonly manifest: string
  readonly shards: string
  readonly receipts: string
  /** Files that are being written; on the same file system, so that they can be linked. */
  readonly drafts: string
  readonly success: string
}

export function folderOf(path: string): Folder {
  const root = resolve(path)
  return {
    root,
    manifest: join(root, 'manifest.json'),
    shards: join(root, 'shards'),
    receipts: join(root, 'receipts'),
    drafts: join(root, 'drafts'),
    success: join(root, '_SUCCESS'),
  }
}

/** A name that no other process takes. */
export function temporary(folder: Folder, name: string): string {
  const own = `${hostname()}.${process.pid}.${randomBytes(4).toString('hex')}`
  return join(folder.drafts, `${name}.${own}`)
}

const refusesLinks = ['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK']

/**
 * Gives a finished draft its final name if nothing has that name, and removes the draft. `sha256` is the draft's.
 *
 * @returns 'same' or 'different' where a file was there, which stays.
 */
export async function publish(
  draft: string,
  path: string,
  sha256: string,
): Promise<'created' | 'same' | 'different'> {
  let isThere = false
  try {
    // Not rename, which overwrites in silence.
    await link(draft, path)
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (code !== 'EEXIST' && !refusesLinks.includes(code)) throw error
    isThere = code === 'EEXIST' || (await exists(path))
    if (!isThere) await rename(draft, path)
  }
  await unlink(draft).catch(() => {})
  if (isThere) return (await sha256Of(path)) === sha256 ? 'same' : 'different'
  await syncFolder(dirname(path))
  return 'created'
}

export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash)
  return hash.digest('hex')
}

/** Not every system lets a folder be opened; there a name is as lasting as it gets. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined)
  await folder?.sync().catch(() => {})
  await folder?.close()
}
