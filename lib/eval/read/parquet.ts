import { wrongData } from './remarks.ts'
import type { Placed, Row } from './rows.ts'

/** Rows are read by groups of so many, which bounds memory. */
const atOnce = 8_192

/** @throws Qwen3Error `ERR_DATASET` where hyparquet is not installed, or the file is none. */
export async function* parquetRows(path: string): AsyncGenerator<Placed> {
  const { parquet, compressors } = await load(path)
  const file = await parquet.asyncBufferFromFile(path)
  const metadata = await parquet.parquetMetadataAsync(file).catch((cause: Error) => {
    throw wrongData(`${path} is no parquet file (${cause.message}): fetch it again`, { file: path })
  })
  const rows = Number(metadata.num_rows)
  for (let from = 0; from < rows; from += atOnce) {
    const block = await parquet
      .parquetReadObjects({
        file,
        metadata,
        rowStart: from,
        rowEnd: Math.min(rows, from + atOnce),
        ...(compressors ? { compressors } : {}),
      })
      .catch((cause: Error) => {
        throw wrongData(
          `${path} could not be read (${cause.message})` +
            (compressors
              ? ': fetch it again'
              : '; for zstd, brotli, gzip and lz4 install hyparquet-compressors'),
          { file: path },
        )
      })
    for (const [i, row] of block.entries()) {
      yield { row: plain(row) as Row, place: `row ${from + i + 1} of ${path}` }
    }
  }
}

async function load(path: string) {
  const parquet = await import('hyparquet').catch((cause: NodeJS.ErrnoException) => {
    throw cause.code === 'ERR_MODULE_NOT_FOUND'
      ? wrongData(`${path} is a parquet file: npm install hyparquet reads it`, { file: path })
      : cause
  })
  // Snappy, which the hub uses, needs no more; other codecs are a package of their own.
  const more = await import('hyparquet-compressors').catch(() => undefined)
  return { parquet, compressors: more?.compressors }
}

// 64-bit integers come as bigint.
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map(plain)
  if (
    typeof value === 'object' &&
    value !== null &&
    Object.getPrototypeOf(value) === Object.prototype
  ) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
  }
  return value
}
