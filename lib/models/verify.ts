import { realpath, stat, unlink } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { CachedFile } from './cache.ts'
import { identify } from './catalog.ts'
import { type Digest, hashFile } from './digest.ts'
import { Meter, type OnProgress } from '../progress.ts'

/** The bytes of one file, against what its repository says they are. */
export interface VerifiedFile {
  readonly path: string
  readonly bytes: number
  /** Its sha256, or for a file kept outside LFS the hash of its git object. */
  readonly hash: string
  /** The hash it should have, where that is known. */
  readonly expected: string | undefined
  /** The published file these bytes are, such as `qwen3-embedding-0.6b:Q8_0`. */
  readonly published: string | undefined
  /** Undefined where there is nothing to compare with. */
  readonly isIntact: boolean | undefined
}

export interface VerifyOptions {
  signal?: AbortSignal | undefined
  onProgress?: OnProgress | undefined
}

/** Reads and hashes files; a few seconds for each gigabyte. */
export async function verifyFiles(
  paths: readonly string[],
  options: VerifyOptions = {},
): Promise<VerifiedFile[]> {
  const files: VerifiedFile[] = []
  for (const path of paths) files.push(await verifyFile(path, options))
  return files
}

/** Deletes the cached files whose bytes are not those they are named by. */
export async function dropDamaged(
  files: readonly CachedFile[],
  options: VerifyOptions,
): Promise<void> {
  for (const { place } of files) {
    if ((await verifyFile(place, options)).isIntact === false) await unlink(await realpath(place))
  }
}

async function verifyFile(path: string, options: VerifyOptions): Promise<VerifiedFile> {
  const { size: bytes } = await stat(path)
  const expected = await digestOf(path)
  const meter = new Meter(
    { phase: 'verify', unit: 'bytes', total: bytes, file: basename(path) },
    options.onProgress,
  )
  let before = 0
  const hash = await hashFile(path, expected?.kind ?? 'sha256', options.signal, (read) => {
    meter.add(read - before, read)
    before = read
  })
  meter.done()
  return {
    path,
    bytes,
    hash,
    expected: expected?.hex,
    published: identify(hash)?.name,
    isIntact: expected && expected.hex === hash,
  }
}

/** In the cache a file is a link to a blob, and the blob is named by its hash. */
async function digestOf(path: string): Promise<Digest | undefined> {
  const real = await realpath(path)
  const hex = basename(real)
  if (basename(dirname(real)) !== 'blobs') return undefined
  if (/^[0-9a-f]{64}$/.test(hex)) return { kind: 'sha256', hex }
  return /^[0-9a-f]{40}$/.test(hex) ? { kind: 'git', hex } : undefined
}
