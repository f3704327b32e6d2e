// Compressed bytes to plain ones, in a stream.
import { Readable, type Transform, pipeline } from 'node:stream'
import * as zlib from 'node:zlib'
import { Qwen3Error } from '../../errors.ts'
import type { InputFormat } from './format.ts'

/** @throws Qwen3Error `ERR_FLEET` where zstd needs a package that is not installed; what broken files give. */
export async function* decompressed(
  bytes: AsyncIterable<Buffer>,
  compression: InputFormat['compression'],
): AsyncIterable<Buffer> {
  if (compression === 'none') return yield* bytes
  const builtIn = (zlib as { createZstdDecompress?: () => Transform }).createZstdDecompress
  if (compression === 'zstd' && !builtIn) return yield* unzstd(bytes)
  const unpack = compression === 'gzip' ? zlib.createGunzip({ chunkSize: 1 << 18 }) : builtIn!()
  // Its error is met by whoever reads.
  yield* pipeline(Readable.from(bytes), unpack, () => {}) as AsyncIterable<Buffer>
}

/** Node has zstd from 22.15 on. */
async function* unzstd(bytes: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const { Decompress } = await import('fzstd').catch((cause: Error) => {
    throw new Qwen3Error(
      'ERR_FLEET',
      `Node ${process.versions.node} has no zstd, and the package fzstd is not installed`,
      {},
      { remedy: 'npm install fzstd, or take Node 22.15 or later.', cause },
    )
  })
  const out: Buffer[] = []
  const unpack = new Decompress((chunk) => {
    // Its buffer is used again.
    if (chunk.length > 0) out.push(Buffer.from(chunk))
  })
  for await (const chunk of bytes) {
    unpack.push(chunk)
    yield* out.splice(0)
  }
  unpack.push(new Uint8Array(0), true)
  yield* out
}
