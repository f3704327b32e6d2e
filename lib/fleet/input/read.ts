// The records of a shard, whatever its input is.
import type { JobFacts, PlannedInput, Shard } from '../manifest.ts'
import { locate, openStore } from '../stores/store.ts'
import { decompressed } from './decompress.ts'
import { formatOf } from './format.ts'
import { parquetRecords } from './parquet.ts'
import { parseCsv, parseRecord, type Sized } from './records.ts'
import { split } from './split.ts'

export interface Reading {
  /** The job's place, where pieces of compressed inputs are. */
  readonly out: string
  readonly input: PlannedInput
  readonly shard: Shard
  readonly job: JobFacts
  readonly signal: AbortSignal
}

export async function* recordsOf(reading: Reading): AsyncGenerator<Sized[]> {
  const { out, input, shard, job, signal } = reading
  const { kind, delimiter } = formatOf(input.path)
  if (kind === 'parquet') {
    yield* parquetRecords(input.path, input.size, shard, job, signal)
    return
  }
  const [from, to] = shard.bytes ?? [0, undefined]
  const { store, name } = shard.piece
    ? { store: openStore(out), name: shard.piece }
    : locate(input.path)
  const bytes = store.read(name, from, to, signal)
  const plain = decompressed(bytes, shard.piece ? 'gzip' : 'none')
  let place = shard.first
  for await (const lines of split(plain, kind, input.path, from)) {
    signal.throwIfAborted()
    yield lines.map(({ bytes }) => ({
      record:
        kind === 'csv'
          ? parseCsv(bytes, delimiter, input.columns ?? [], job, place++)
          : parseRecord(bytes, job, place++),
      bytes: bytes.length,
    }))
  }
}
