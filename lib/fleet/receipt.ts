// What says that a shard is done. `finish` believes receipts, and nothing else.
import { receiptName, receiptsPrefix, shardNames } from './job-files.ts'
import type { ShardFormat, ShardId } from './manifest.ts'
import { publishBytes } from './stores/draft.ts'
import { readWhole, type Store } from './stores/store.ts'

export interface Receipt {
  readonly shard: ShardId
  /** The job's name. */
  readonly job: string
  readonly rows: number
  readonly tokens: number
  /** Rows that hold an error in place of a vector. */
  readonly failed: number
  /** Of the vectors' file, and of that of ids where there is one. */
  readonly sha256: string
  readonly idsSha256: string
  /** Of the vectors' file. */
  readonly bytes: number
  readonly fingerprint: string
  readonly kernels: string
  /** Of this package. */
  readonly version: string
  /** From the first record to the last vector, in milliseconds: for rates. */
  readonly ms: number
}

export async function readReceipt(store: Store, shard: ShardId): Promise<Receipt | undefined> {
  const text = await readWhole(store, receiptName(shard)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  return text === undefined ? undefined : (JSON.parse(`${text}`) as Receipt)
}

/** The first receipt of a shard stands. */
export async function writeReceipt(store: Store, receipt: Receipt): Promise<void> {
  await publishBytes(store, receiptName(receipt.shard), Buffer.from(`${JSON.stringify(receipt)}\n`))
}

/** Digests of the files that it speaks of, by their names. */
export function digestsOf(receipt: Receipt, format: ShardFormat): Map<string, string> {
  const digests = format === 'npy' ? [receipt.idsSha256, receipt.sha256] : [receipt.sha256]
  return new Map(shardNames(receipt.shard, format).map((name, i) => [name, digests[i]!]))
}

/** Whether the files that it speaks of are there, that of the vectors of the length it had. */
export async function holds(store: Store, receipt: Receipt, format: ShardFormat): Promise<boolean> {
  const items = await Promise.all(shardNames(receipt.shard, format).map((name) => store.stat(name)))
  return items.every((item) => item !== undefined) && items.at(-1)?.size === receipt.bytes
}

/** Requests at a time. */
export const atOnce = 64

/** The receipts of a job. */
export async function readReceipts(store: Store, job: string): Promise<Map<ShardId, Receipt>> {
  const receipts = new Map<ShardId, Receipt>()
  let some: ShardId[] = []
  const read = async () => {
    const found = await Promise.all(some.map((shard) => readReceipt(store, shard)))
    for (const receipt of found) if (receipt?.job === job) receipts.set(receipt.shard, receipt)
    some = []
  }
  for await (const { name } of store.list(receiptsPrefix)) {
    if (name.endsWith('.json')) some.push(name.slice(receiptsPrefix.length, -'.json'.length))
    if (some.length >= atOnce) await read()
  }
  await read()
  return receipts
}
