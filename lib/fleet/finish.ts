// How far a job is, and its end: from the manifest and the receipts alone, whatever became of a queue.
import { readFile, rm } from 'node:fs/promises'
import { exists, type Folder, folderOf } from './folder.ts'
import { type Job, readManifest, type ShardId } from './manifest.ts'
import { holds, publishText, type Receipt, readReceipts } from './receipt.ts'
import type { Counts, ShardSource } from './source.ts'

export interface Totals {
  readonly shards: number
  readonly rows: number
  readonly tokens: number
  /** Rows that hold an error. */
  readonly failed: number
  /** Of the files of vectors. */
  readonly bytes: number
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
  const folder = folderOf(out)
  const job = await readManifest(folder)
  const { receipts, missing } = await accounted(folder, job)
  return {
    job: job.name,
    planned: {
      shards: job.shards.length,
      rows: job.shards.reduce((sum, { rows }) => sum + rows, 0),
    },
    done: totalsOf(receipts),
    missing,
    kernels: [...new Set(receipts.map(({ kernels }) => kernels))].sort(),
    finished: await exists(folder.success),
    ...(source ? { queue: await source.counts() } : {}),
  }
}

export interface Finished {
  readonly job: string
  /** Shards without a receipt, or whose file is gone; handed to the source again, where there is one. */
  readonly missing: readonly ShardId[]
  /** Set once all are there. */
  readonly totals?: Totals
}

/**
 * Writes `_SUCCESS` with totals if every shard has its receipt and its file; running it again does nothing more.
 *
 * @throws Qwen3Error `ERR_FLEET` where there is no plan
 */
export async function finish(out: string, source?: ShardSource): Promise<Finished> {
  const folder = folderOf(out)
  const job = await readManifest(folder)
  if (await exists(folder.success)) {
    const { totals } = JSON.parse(await readFile(folder.success, 'utf8')) as { totals: Totals }
    return { job: job.name, missing: [], totals }
  }
  const { receipts, missing } = await accounted(folder, job)
  if (missing.length > 0) {
    await source?.enqueue(missing, true)
    return { job: job.name, missing }
  }
  const totals = totalsOf(receipts)
  const facts = { job: job.name, ...job.job, totals }
  await publishText(folder, folder.success, 'success', `${JSON.stringify(facts, null, 2)}\n`)
  // What killed workers left.
  await rm(folder.drafts, { recursive: true, force: true })
  return { job: job.name, missing: [], totals }
}

const atOnce = 64

/** Receipts in the plan's order, of shards whose files are there as the receipt says. */
async function accounted(
  folder: Folder,
  job: Job,
): Promise<{ receipts: Receipt[]; missing: ShardId[] }> {
  const all = await readReceipts(folder, job.name)
  const receipts: Receipt[] = []
  const missing: ShardId[] = []
  for (let from = 0; from < job.shards.length; from += atOnce) {
    const some = job.shards.slice(from, from + atOnce)
    const found = await Promise.all(
      some.map(async ({ id, rows }) => {
        const receipt = all.get(id)
        return receipt?.rows === rows && (await holds(folder, receipt)) ? receipt : undefined
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

function totalsOf(receipts: readonly Receipt[]): Totals {
  const sum = (of: (receipt: Receipt) => number) =>
    receipts.reduce((total, receipt) => total + of(receipt), 0)
  return {
    shards: receipts.length,
    rows: sum(({ rows }) => rows),
    tokens: sum(({ tokens }) => tokens),
    failed: sum(({ failed }) => failed),
    bytes: sum(({ bytes }) => bytes),
  }
}
