// Parquet by row groups: only the columns of texts and ids are fetched, and of them only what a shard needs.
import type { AsyncBuffer, FileMetaData } from 'hyparquet'
import { Qwen3Error } from '../../errors.ts'
import { locate } from '../stores/store.ts'
import { type Fields, recordOf, type Sized } from './records.ts'

export interface Group {
  readonly rows: number
  /** Of the column of texts, unpacked. */
  readonly bytes: number
}

/** @throws Qwen3Error `ERR_FLEET` for a file that is none, or has no column of texts. */
export async function groupsOf(path: string, size: number, fields: Fields): Promise<Group[]> {
  const { metadata } = await opened(path, size)
  const columns = metadata.schema.slice(1).map(({ name }) => name)
  if (!columns.includes(fields.text)) {
    throw wrong(path, `it has no column ${JSON.stringify(fields.text)}`, {
      remedy: `Name one with --text: ${columns.slice(0, 20).join(', ')}.`,
    })
  }
  return metadata.row_groups.map((group) => {
    const texts = group.columns.find(
      ({ meta_data }) => meta_data?.path_in_schema.join('.') === fields.text,
    )
    const bytes = Number(texts?.meta_data?.total_uncompressed_size ?? group.total_byte_size)
    return { rows: Number(group.num_rows), bytes }
  })
}

/** Rows `first` to before `first + rows`, a row group at a time. */
export async function* parquetRecords(
  path: string,
  size: number,
  { first, rows }: { first: number; rows: number },
  fields: Fields,
  signal: AbortSignal,
): AsyncGenerator<Sized[]> {
  const { parquet, compressors, file, metadata } = await opened(path, size, signal)
  const hasId = metadata.schema.slice(1).some(({ name }) => name === fields.id)
  const columns = hasId ? [fields.text, fields.id] : [fields.text]
  let start = 0
  for (const group of metadata.row_groups) {
    const end = start + Number(group.num_rows)
    const [rowStart, rowEnd] = [Math.max(start, first), Math.min(end, first + rows)]
    start = end
    if (rowEnd <= rowStart) continue
    signal.throwIfAborted()
    const options = { file, metadata, columns, rowStart, rowEnd }
    const found = await parquet
      .parquetReadObjects(compressors ? { ...options, compressors } : options)
      .catch((cause: Error) => {
        signal.throwIfAborted()
        throw wrong(path, `could not be read: ${cause.message}`, {
          remedy: compressors
            ? ''
            : 'For zstd, gzip and brotli: npm install hyparquet-compressors.',
          cause,
        })
      })
    yield found.map((row, i) => {
      const text: unknown = row[fields.text]
      const record = recordOf(row[fields.id], text, fields, rowStart + i)
      return { record, bytes: typeof text === 'string' ? text.length : 0 }
    })
  }
}

async function opened(path: string, byteLength: number, signal?: AbortSignal) {
  const parquet = await import('hyparquet').catch((cause: Error) => {
    throw wrong(path, 'needs the package hyparquet, which is not installed', {
      remedy: 'npm install hyparquet hyparquet-compressors',
      cause,
    })
  })
  const more = await import('hyparquet-compressors').catch(() => undefined)
  const { store, name } = locate(path)
  const file: AsyncBuffer = {
    byteLength,
    async slice(from, to = byteLength) {
      const chunks: Buffer[] = []
      for await (const chunk of store.read(name, from, to, signal)) chunks.push(chunk)
      const bytes = new Uint8Array(Buffer.concat(chunks))
      return bytes.buffer as ArrayBuffer
    },
  }
  const metadata: FileMetaData = await parquet.parquetMetadataAsync(file).catch((cause: Error) => {
    throw wrong(path, `is no Parquet file: ${cause.message}`, { cause })
  })
  return { parquet, compressors: more?.compressors, file, metadata }
}

function wrong(path: string, problem: string, more: { remedy?: string; cause?: unknown }) {
  return new Qwen3Error('ERR_FLEET', `${path} ${problem}`, { path }, more)
}
