import { createHash } from 'node:crypto'
import { mkdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { linkBlob, repositoryFolder, snapshotFolder } from './cache.ts'
import { download, downloadMeter } from './download.ts'
import type { Access } from './http.ts'
import { Lease, LeaseLost } from './lock.ts'
import type { Wanted } from './probe.ts'
import { checkSpace, notedBytes } from './partial.ts'
import type { OnProgress } from '../progress.ts'

/** A place in the cache, and what belongs there. */
export interface CacheEntry {
  readonly hub: string
  readonly repo: string
  readonly commit: string
  readonly path: string
  readonly wanted: Wanted
}

/** Throws before the first byte when the files do not fit on the disk together. */
export async function checkRoom(entries: readonly CacheEntry[]): Promise<void> {
  let needed = 0
  for (const entry of entries) {
    const size = entry.wanted.size ?? 0
    if (await hasBlob(entry)) continue
    needed += size - Math.min(size, await notedBytes(baseOf(entry)))
  }
  const hub = entries[0]?.hub
  if (hub === undefined || needed === 0) return
  await mkdir(hub, { recursive: true })
  await checkSpace(hub, needed)
}

/** Brings a file into the cache unless it is there, whoever fetches it: one process at a time does. */
export async function store(
  entry: CacheEntry,
  access: Access,
  onProgress?: OnProgress,
): Promise<string> {
  const base = baseOf(entry)
  await mkdir(dirname(base), { recursive: true })
  for (;;) {
    const lease = await Lease.acquire(`${base}.lock`, {
      signal: access.signal,
      onWait: waiting(entry, base, onProgress),
    })
    try {
      return await fetchOrFind(entry, base, lease, access, onProgress)
    } catch (error) {
      if (!(error instanceof LeaseLost)) throw error
    } finally {
      await lease.release()
    }
  }
}

async function fetchOrFind(
  entry: CacheEntry,
  base: string,
  lease: Lease,
  access: Access,
  onProgress: OnProgress | undefined,
): Promise<string> {
  const { wanted } = entry
  const folder = snapshotFolder(entry.hub, entry.repo, entry.commit)
  const place = join(folder, ...entry.path.split('/'))
  const settle = (hex: string) => blobPath(entry, hex)
  if (await hasBlob(entry)) {
    await linkBlob(settle(wanted.digest!.hex), place)
    const { size } = await stat(place)
    downloadMeter(wanted.name, size, onProgress).done()
  } else {
    await linkBlob(await download(wanted, base, settle, lease, access, onProgress), place)
  }
  return place
}

/** While another process fetches the file, its progress is ours. */
function waiting(entry: CacheEntry, base: string, onProgress: OnProgress | undefined) {
  const { name, size } = entry.wanted
  if (onProgress === undefined || size === undefined) return undefined
  const meter = downloadMeter(name, size, onProgress)
  let before = 0
  return async () => {
    const received = await notedBytes(base)
    meter.add(Math.max(0, received - before), received)
    before = received
  }
}

/** Blobs get their name when they are complete and verified, never before. */
async function hasBlob(entry: CacheEntry): Promise<boolean> {
  const { digest, size } = entry.wanted
  if (digest === undefined) return false
  const facts = await stat(blobPath(entry, digest.hex)).catch(() => undefined)
  return facts !== undefined && (size === undefined || facts.size === size)
}

function blobPath(entry: CacheEntry, hex: string): string {
  return join(repositoryFolder(entry.hub, entry.repo), 'blobs', hex)
}

/** A folder name for what is known by its address alone. */
export function addressKey(url: string): string {
  return createHash('sha256').update(url).digest('hex').slice(0, 40)
}

/**
 * Beside the blob, under a name of our own: Python's tools resume `HASH.incomplete` as a file without
 * holes, which ours is not.
 */
function baseOf(entry: CacheEntry): string {
  const { digest, url } = entry.wanted
  const key = digest?.hex ?? addressKey(url)
  return blobPath(entry, `${key}.qwen3-embed`)
}
