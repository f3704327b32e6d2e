// How far a job is, by its receipts.
import { successName } from './job-files.ts'
import { type Job, readManifest, type ShardId } from './manifest.ts'
import { atOnce, holds, type Receipt, readReceipts } from './receipt.ts'
import type { Counts, ShardSource } from './source.ts'
import { openStore, type Store } from './stores/store.ts'

export interface Totals {
  readonly shards: number
  readonly rows: number
  readonly tokens: number
  /** Rows that hold an error. */
  readonly failed: number
  /** Of the files of vectors. */
  readonly bytes: number
  /** What making them took, of all workers together. */
  readonly seconds: number
}

export interface Status {
  readonly job: string
  readonly planned: { readonly shards: number; readonly rows: number }
  /** Of shards with a receipt. */
  readonly done: Totals
  readonly missing: readonly ShardId[]
  /** Sets of kernels that made shards. */
  readonly kernels: readonly string[]
  readonly finished: boolean
  /** What the queue says, where one was asked. */
  readonly queue?: Counts
}

/** @throws Qwen3Error `ERR_FLEET` where there is no plan */
export async function status(out: string, source?: ShardSource): Promise<Status> {
  const store = openStore(out)
  const job = await readManifest(store)
  const { receipts, missing } = await accounted(store, job)
  return {
    job: job.name,
    planned: {
      shards: job.shards.length,
      rows: job.shards.reduce((sum, { rows }) => sum + rows, 0),
    },
    done: totalsOf(receipts),
    missing,
    kernels: [...new Set(receipts.map(({ kernels }) => kernels))].sort(),
    finished: (await store.stat(successName)) !== undefined,
    ...(source ? { queue: await source.counts() } : {}),
  }
}

/** Receipts in the plan's order, of shards whose files are there, of the length that the receipt says. */
export async function accounted(
  store: Store,
  job: Job,
): Promise<{ receipts: Receipt[]; missing: ShardId[] }> {
  const all = await readReceipts(store, job.name)
  const receipts: Receipt[] = []
  const missing: ShardId[] = []
  for (let from = 0; from < job.shards.length; from += atOnce) {
    const some = job.shards.slice(from, from + atOnce)
    const found = await Promise.all(
      some.map(async ({ id, rows }) => {
        const receipt = all.get(id)
        const isThere = receipt?.rows === rows && (await holds(store, receipt, job.job.format))
        return isThere ? receipt : undefined
      }),
    )
    for (const [i, { id }] of some.entries()) {
      const receipt = found[i]
      if (receipt) receipts.push(receipt)
      else missing.push(id)
    }
  }
  return { receipts, missing }
}

export function totalsOf(receipts: readonly Receipt[]): Totals {
  const sum = (of: (receipt: Receipt) => number) =>
    receipts.reduce((total, receipt) => total + of(receipt), 0)
  return {
    shards: receipts.length,
    rows: sum(({ rows }) => rows),
    tokens: sum(({ tokens }) => tokens),
    failed: sum(({ failed }) => failed),
    bytes: sum(({ bytes }) => bytes),
    seconds: Math.round(sum(({ ms }) => ms)) / 1000,
  }
}
