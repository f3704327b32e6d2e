import { createHash } from 'node:crypto'
import { mkdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { linkBlob, repositoryFolder, snapshotFolder } from './cache.ts'
import { download } from './download.ts'
import type { Access } from './http.ts'
import { Lease, LeaseLost } from './lock.ts'
import type { Wanted } from './offer.ts'
import { checkSpace, notedBytes } from './partial.ts'
import { Meter, type OnProgress } from './progress.ts'

/** A place in the cache, and what belongs there. */
export interface Errand {
  readonly hub: string
  readonly repo: string
  readonly commit: string
  readonly path: string
  readonly wanted: Wanted
}

/** Throws before the first byte when the files do not fit on the disk together. */
export async function checkRoom(errands: readonly Errand[]): Promise<void> {
  let needed = 0
  for (const errand of errands) {
    const size = errand.wanted.size ?? 0
    if (await hasBlob(errand)) continue
    needed += size - Math.min(size, await notedBytes(baseOf(errand)))
  }
  const hub = errands[0]?.hub
  if (hub === undefined || needed === 0) return
  await mkdir(hub, { recursive: true })
  await checkSpace(hub, needed)
}

/** Brings a file into the cache unless it is there, whoever fetches it: one process at a time does. */
export async function store(
  errand: Errand,
  access: Access,
  onProgress?: OnProgress,
): Promise<string> {
  const base = baseOf(errand)
  await mkdir(dirname(base), { recursive: true })
  for (;;) {
    const lease = await Lease.acquire(`${base}.lock`, {
      signal: access.signal,
      onWait: waiting(errand, base, onProgress),
    })
    try {
      return await fetchOrFind(errand, base, lease, access, onProgress)
    } catch (error) {
      if (!(error instanceof LeaseLost)) throw error
    } finally {
      await lease.release()
    }
  }
}

async function fetchOrFind(
  errand: Errand,
  base: string,
  lease: Lease,
  access: Access,
  onProgress: OnProgress | undefined,
): Promise<string> {
  const { wanted } = errand
  const folder = snapshotFolder(errand.hub, errand.repo, errand.commit)
  const place = join(folder, ...errand.path.split('/'))
  const settle = (hex: string) => blobPath(errand, hex)
  if (await hasBlob(errand)) {
    await linkBlob(settle(wanted.digest!.hex), place)
    const { size } = await stat(place)
    new Meter(wanted.name, size, onProgress).done()
  } else {
    await linkBlob(await download(wanted, base, settle, lease, access, onProgress), place)
  }
  return place
}

/** While another process fetches the file, its progress is ours. */
function waiting(errand: Errand, base: string, onProgress: OnProgress | undefined) {
  const { name, size } = errand.wanted
  if (onProgress === undefined || size === undefined) return undefined
  const meter = new Meter(name, size, onProgress)
  let before = 0
  return async () => {
    const received = await notedBytes(base)
    meter.add(Math.max(0, received - before), received)
    before = received
  }
}

/** Blobs get their name when they are complete and verified, never before. */
async function hasBlob(errand: Errand): Promise<boolean> {
  const { digest, size } = errand.wanted
  if (digest === undefined) return false
  const facts = await stat(blobPath(errand, digest.hex)).catch(() => undefined)
  return facts !== undefined && (size === undefined || facts.size === size)
}

function blobPath(errand: Errand, hex: string): string {
  return join(repositoryFolder(errand.hub, errand.repo), 'blobs', hex)
}

/** A folder name for what is known by its address alone. */
export function addressKey(url: string): string {
  return createHash('sha256').update(url).digest('hex').slice(0, 40)
}

/**
 * Beside the blob, under a name of our own: Python's tools resume `HASH.incomplete` as a file without
 * holes, which ours is not.
 */
function baseOf(errand: Errand): string {
  const { digest, url } = errand.wanted
  const key = digest?.hex ?? addressKey(url)
  return blobPath(errand, `${key}.qwen3-embed`)
}
