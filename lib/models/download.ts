import { Qwen3Error } from '../errors.ts'
import { type Digest, Follower } from './digest.ts'
import type { Access } from './http.ts'
import type { Lease } from './lock.ts'
import { probe, type Wanted } from './offer.ts'
import { checkSpace, explainDisk, Partial } from './partial.ts'
import { fetchAll, StartOver } from './parts.ts'
import { persist } from './patience.ts'
import { Meter, type OnProgress } from './progress.ts'

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
          `${wanted.name} could not be fetched in one piece: ${error.message}; try again later`,
          { file: wanted.name, attempts: round + 1 },
          { cause: error },
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
  const offer = await persist(
    access,
    () => 0,
    () => probe(wanted, access),
  )
  const kind = offer.digest?.kind ?? 'sha256'
  const tag = offer.digest?.hex ?? offer.validator
  const partial = await Partial.open(base, { size: offer.size, tag }, lease)
  const follower = new Follower(partial.file, offer.size, kind)
  const meter = new Meter(wanted.name, offer.size, onProgress)
  let isOpen = true
  try {
    await checkSpace(partial.path, offer.size - partial.bytes)
    follower.advance(partial.frontier)
    meter.add(0, partial.bytes)
    const sink = async (chunk: Uint8Array, at: number) => {
      const written = await partial.write(chunk, at)
      follower.advance(partial.frontier)
      meter.add(written, partial.bytes)
    }
    await fetchAll(wanted, offer, partial, access, sink)
    const hex = await follower.finish()
    isOpen = false
    if (offer.digest !== undefined && offer.digest.hex !== hex) {
      await partial.discard()
      throw mismatch(wanted, offer.digest, hex, partial.resumedBytes)
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
      `instead of ${digest.hex}; the file was thrown away. A proxy or mirror that alters files would explain it: ` +
      'try another network or endpoint',
    { file: wanted.name, expected: digest.hex, actual: hex },
  )
}
