// Where shards come from. A source hands a shard to somebody at least once; that it counts once is the folder's doing.
import type { Receipt } from './receipt.ts'
import type { ShardId } from './manifest.ts'

export interface Counts {
  readonly waiting: number
  readonly running: number
  readonly done: number
  readonly failed: number
}

export interface ShardSource {
  /** Idempotent by id; `again` also those that the source takes for done or failed. */
  enqueue(shards: readonly ShardId[], again?: boolean): Promise<void>
  /** @returns undefined if nothing is left to do */
  claim(signal: AbortSignal): Promise<Claim | undefined>
  counts(): Promise<Counts>
  close(): Promise<void>
}

export interface Claim {
  readonly shard: ShardId
  /** From 1. */
  readonly attempt: number
  /** Aborts when the lease went to another worker. */
  readonly lost: AbortSignal
  /** 0..1 */
  progress(fraction: number): void
  complete(receipt: Receipt): Promise<void>
  fail(error: Error, retry: boolean): Promise<void>
  /** Hands it back unharmed: the worker was told to stop. */
  release(): Promise<void>
}
