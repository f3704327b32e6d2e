// The rows of one shard on their way to files.
import type { EmbeddedText } from '../../index.ts'
import type { JobFacts, Shard } from '../manifest.ts'
import type { Store } from '../stores/store.ts'
import { LinesFile } from './lines-file.ts'
import { ParquetFile } from './parquet-file.ts'

/** What a row of the shard is about, and its vector or error. */
export interface Row {
  readonly id: string | number
  readonly tokens: number
  readonly cut: number
  readonly vector: Float32Array | null
  readonly error: { readonly code: string; readonly message: string } | null
}

export function rowOf(id: string | number, { tokens, cut, vector, error }: EmbeddedText): Row {
  return { id, tokens, cut, vector, error: error && { code: error.code, message: error.message } }
}

/** A finished draft, and the ending of the name that it will have. */
export interface SealedFile {
  readonly draft: string
  readonly ending: string
  readonly sha256: string
  readonly bytes: number
}

/** One file or two for a shard; the one with the vectors is the last. */
export interface ShardFile {
  write(rows: readonly Row[]): Promise<void>
  seal(): Promise<SealedFile[]>
  discard(): Promise<void>
}

/** What is written beside the vectors, where a format has room for it. */
export type Metadata = Readonly<Record<string, string>>

export function openShardFile(
  store: Store,
  job: JobFacts,
  shard: Shard,
  metadata: Metadata,
): Promise<ShardFile> {
  return job.format === 'parquet'
    ? ParquetFile.open(store, job, shard, metadata)
    : LinesFile.open(store, job, shard)
}

/** Endings of a shard's files, as `ShardFile.seal` orders them. */
export const endings = {
  npy: ['.ids.jsonl', '.npy'],
  jsonl: ['.jsonl'],
  parquet: ['.parquet'],
} as const satisfies Record<JobFacts['format'], readonly string[]>
