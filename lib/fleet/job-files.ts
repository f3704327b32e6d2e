// Names of a job's files in its place.
import type { ShardFormat, ShardId } from './manifest.ts'
import { endings } from './output/shard-file.ts'

export const manifestName = 'manifest.json'
export const successName = '_SUCCESS'
export const receiptsPrefix = 'receipts/'
export const shardsPrefix = 'shards/'

export const receiptName = (shard: ShardId): string => `${receiptsPrefix}${shard}.json`

/** Of its files; the last one holds the vectors. */
export const shardNames = (shard: ShardId, format: ShardFormat): string[] =>
  endings[format].map((ending) => `${shardsPrefix}${shard}${ending}`)
