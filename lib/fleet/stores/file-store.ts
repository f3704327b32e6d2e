// A folder of this machine, or one that it mounts.
import { createReadStream } from 'node:fs'
import { link, mkdir, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { diskError } from './disk.ts'
import { draftName, sha256Of } from './draft.ts'
import type { Item, Published, Store } from './store.ts'

const refusesLinks = ['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK']

export class FileStore implements Store {
  readonly root: string

  constructor(root: string) {
    this.root = root
  }

  async stat(name: string): Promise<Item | undefined> {
    const facts = await stat(join(this.root, name)).catch(absent)
    return facts && { name, size: facts.size, version: `${Math.floor(facts.mtimeMs)}` }
  }

  async *list(prefix: string): AsyncGenerator<Item> {
    const folder = prefix.endsWith('/') ? prefix : dirname(prefix)
    const entries = await readdir(join(this.root, folder), {
      withFileTypes: true,
      recursive: true,
    }).catch(absent)
    for (const entry of entries ?? []) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath ?? entry.path, entry.name)
      const name = relative(this.root, path).replaceAll('\\', '/')
      const item = name.startsWith(prefix) ? await this.stat(name) : undefined
      if (item) yield item
    }
  }

  async *read(
    name: string,
    from = 0,
    to = Number.POSITIVE_INFINITY,
    signal?: AbortSignal,
  ): AsyncGenerator<Buffer> {
    if (to <= from) return
    const end = Number.isFinite(to) ? { end: to - 1 } : {}
    const options = { start: from, highWaterMark: 1 << 18, ...end }
    for await (const chunk of createReadStream(join(this.root, name), options)) {
      signal?.throwIfAborted()
      yield chunk as Buffer
    }
  }

  /** On the same file system as what it becomes, so that it can be linked. */
  async draft(name: string): Promise<string> {
    const folder = join(this.root, 'drafts')
    await mkdir(folder, { recursive: true })
    return join(folder, draftName(name))
  }

  async publish(name: string, draft: string, sha256: string): Promise<Published> {
    const path = join(this.root, name)
    await mkdir(dirname(path), { recursive: true }).catch(diskError(path))
    let isThere = false
    try {
      // Not rename, which overwrites in silence.
      await link(draft, path)
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      if (code !== 'EEXIST' && !refusesLinks.includes(code)) return diskError(path)(error)
      isThere = code === 'EEXIST' || (await this.stat(name)) !== undefined
      if (!isThere) await rename(draft, path)
    }
    await unlink(draft).catch(() => {})
    if (isThere) return (await sha256Of(path)) === sha256 ? 'same' : 'different'
    await syncFolder(dirname(path))
    return 'created'
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.root, name), { force: true })
  }

  async sweep(): Promise<void> {
    await rm(join(this.root, 'drafts'), { recursive: true, force: true })
  }
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
  throw error
}

/** Not every system lets a folder be opened; there a name is as lasting as it gets. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined)
  await folder?.sync().catch(() => {})
  await folder?.close()
}
