import { Qwen3Error } from '../errors.ts'
import { type Digest, Follower } from './digest.ts'
import type { Access } from './http.ts'
import type { Lease } from './lock.ts'
import { probe, type Wanted } from './probe.ts'
import { checkSpace, explainDisk, PartialFile } from './partial.ts'
import { fetchAll, StartOver } from './parts.ts'
import { withRetries } from './retry.ts'
import { Meter, type OnProgress } from '../progress.ts'

/**
 * Fetches a file into `BASE.incomplete`, verifies it and moves it to the path that `settle` gives for
 * its hash. Whatever happens before that last step can be continued by calling this again.
 */
export async function download(
  wanted: Wanted,
  base: string,
  settle: (hex: string) => string,
  lease: Lease,
  access: Access,
  onProgress?: OnProgress,
): Promise<string> {
  for (let round = 0; ; round++) {
    try {
      return await fetchOnce(wanted, base, settle, lease, access, onProgress)
    } catch (error) {
      if (!(error instanceof StartOver)) throw explainDisk(error, base)
      if (round === access.transfer.retries) {
        throw new Qwen3Error(
          'ERR_DOWNLOAD',
          `${wanted.name} could not be fetched in one piece: ${error.message}`,
          { file: wanted.name, attempts: round + 1 },
          { remedy: 'Try again later.', cause: error },
        )
      }
    }
  }
}

async function fetchOnce(
  wanted: Wanted,
  base: string,
  settle: (hex: string) => string,
  lease: Lease,
  access: Access,
  onProgress: OnProgress | undefined,
): Promise<string> {
  const beginning = downloadMeter(wanted.name, wanted.size ?? 0, onProgress)
  const probed = await withRetries(
    { ...access, onRetry: (retry) => beginning.retry(retry) },
    () => 0,
    () => probe(wanted, access),
  )
  const kind = probed.digest?.kind ?? 'sha256'
  const tag = probed.digest?.hex ?? probed.validator
  const partial = await PartialFile.open(base, { size: probed.size, tag }, lease)
  const follower = new Follower(partial.file, probed.size, kind)
  const meter = downloadMeter(wanted.name, probed.size, onProgress)
  const patient: Access = { ...access, onRetry: (retry) => meter.retry(retry) }
  let isOpen = true
  try {
    await checkSpace(partial.path, probed.size - partial.bytes)
    follower.advance(partial.frontier)
    meter.add(0, partial.bytes)
    const sink = async (chunk: Uint8Array, at: number) => {
      const written = await partial.write(chunk, at)
      follower.advance(partial.frontier)
      meter.add(written, partial.bytes)
    }
    await fetchAll(wanted, probed, partial, patient, sink)
    const hex = await follower.finish()
    isOpen = false
    if (probed.digest !== undefined && probed.digest.hex !== hex) {
      await partial.discard()
      throw mismatch(wanted, probed.digest, hex, partial.resumedBytes)
    }
    const path = settle(hex)
    await partial.finish(path)
    meter.done()
    return path
  } catch (error) {
    await follower.stop()
    if (isOpen) await (error instanceof StartOver ? partial.discard() : partial.suspend())
    throw error
  }
}

function mismatch(wanted: Wanted, digest: Digest, hex: string, resumedBytes: number): Error {
  // Bytes of an earlier run may have been damaged on the disk since: one clean run decides.
  if (resumedBytes > 0) return new StartOver('its bytes do not have the hash they should have')
  return new Qwen3Error(
    'ERR_DOWNLOAD_HASH',
    `${wanted.name} was fetched completely but its ${digest.kind === 'git' ? 'git hash' : 'sha256'} is ${hex} ` +
      `instead of ${digest.hex}; the file was thrown away`,
    { file: wanted.name, expected: digest.hex, actual: hex },
    {
      remedy:
        'A proxy or mirror that alters files would explain it: try another network or endpoint.',
    },
  )
}

export function downloadMeter(
  file: string,
  total: number,
  onProgress: OnProgress | undefined,
): Meter {
  return new Meter({ phase: 'download', unit: 'bytes', total, file }, onProgress)
}
