// The rows of a job, for whatever they are loaded into.
import { npyHeaderBytes } from '../npy.ts'
import { shardNames } from './job-files.ts'
import { type JobFacts, readManifest, type ShardId } from './manifest.ts'
import { parquetPeers } from './output/parquet-peers.ts'
import type { Row } from './output/shard-file.ts'
import { openStore, readWhole } from './stores/store.ts'

/** All rows of a shard, in the order of their records. */
export interface ShardRows {
  readonly shard: ShardId
  readonly rows: readonly Row[]
}

/**
 * The rows of a finished job, a shard at a time: in the plan's order, or from `after` on, for loading that goes on where it
 * was broken off. Reading a format of lines takes the time of the thread that asks.
 *
 * @throws Qwen3Error `ERR_FLEET` where there is no plan, or a format's packages are not installed; ENOENT for a shard that is not done
 */
export async function* readRows(out: string, after?: ShardId): AsyncGenerator<ShardRows> {
  const store = openStore(out)
  const { job, shards } = await readManifest(store)
  const from = after === undefined ? 0 : shards.findIndex(({ id }) => id === after) + 1
  for (const { id: shard } of shards.slice(from)) {
    const names = shardNames(shard, job.format)
    const files = await Promise.all(names.map((name) => readWhole(store, name)))
    yield { shard, rows: await rowsOf(files, job) }
  }
}

async function rowsOf(files: readonly Buffer[], { format, dimensions }: JobFacts): Promise<Row[]> {
  if (format === 'parquet') return parquetRows(files[0]!)
  const lines = `${files[0]}`.trimEnd().split('\n')
  const vectors = files[1]?.subarray(npyHeaderBytes)
  return lines.map((line, i) => {
    const { vector, ...facts } = JSON.parse(line) as Partial<Row> & { vector?: number[] }
    const error = facts.error ?? null
    const bytes = vectors?.subarray(i * dimensions * 4, (i + 1) * dimensions * 4)
    const read = bytes ? floats(bytes) : vector && Float32Array.from(vector)
    return {
      id: facts.id!,
      tokens: facts.tokens!,
      cut: facts.cut ?? 0,
      error,
      vector: error ? null : read!,
    }
  })
}

/** A copy: the file's bytes lie anywhere. */
function floats(bytes: Buffer): Float32Array {
  const copy = new Uint8Array(bytes)
  return new Float32Array(copy.buffer)
}

async function parquetRows(bytes: Buffer): Promise<Row[]> {
  const { arrow, parquet } = await parquetPeers()
  const table = arrow.tableFromIPC(parquet.readParquet(bytes).intoIPCStream())
  return table.toArray().map((row) => {
    const { id, vector, tokens, cut, error } = row.toJSON()
    const [code = '', ...words] = ((error ?? '') as string).split(': ')
    return {
      id: id as string,
      tokens: tokens as number,
      cut: cut as number,
      vector: vector ? Float32Array.from(vector as Iterable<number>) : null,
      error: error === null ? null : { code, message: words.join(': ') },
    }
  })
}
