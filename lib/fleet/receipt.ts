// What says that a shard is done. `finish` believes receipts, and nothing else.
import { createHash } from 'node:crypto'
import { open, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Folder, publish, temporary } from './folder.ts'
import type { ShardId } from './manifest.ts'

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
  readonly bytes: number
  readonly fingerprint: string
  readonly kernels: string
  /** Of this package. */
  readonly version: string
}

export const receiptPath = (folder: Folder, shard: ShardId) =>
  join(folder.receipts, `${shard}.json`)

export async function readReceipt(folder: Folder, shard: ShardId): Promise<Receipt | undefined> {
  const text = await readFile(receiptPath(folder, shard), 'utf8').catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    },
  )
  return text === undefined ? undefined : (JSON.parse(text) as Receipt)
}

/** Whether the files that it speaks of are there, of the length they had. */
export async function holds(
  folder: Folder,
  { shard, bytes, idsSha256 }: Receipt,
): Promise<boolean> {
  const at = (ending: string) =>
    stat(join(folder.shards, `${shard}${ending}`)).catch(() => undefined)
  if (idsSha256 === '') return (await at('.jsonl'))?.size === bytes
  return (await at('.npy'))?.size === bytes && (await at('.ids.jsonl')) !== undefined
}

/** The receipts of a job, `atOnce` at a time. */
export async function readReceipts(folder: Folder, job: string): Promise<Map<ShardId, Receipt>> {
  const names = await readdir(folder.receipts).catch(() => [])
  const receipts = new Map<ShardId, Receipt>()
  const atOnce = 64
  for (let from = 0; from < names.length; from += atOnce) {
    const some = names.slice(from, from + atOnce).filter((name) => name.endsWith('.json'))
    const read = await Promise.all(some.map((name) => readReceipt(folder, name.slice(0, -5))))
    for (const receipt of read) if (receipt?.job === job) receipts.set(receipt.shard, receipt)
  }
  return receipts
}

/** The first receipt of a shard stands. */
export async function writeReceipt(folder: Folder, receipt: Receipt): Promise<void> {
  const text = `${JSON.stringify(receipt)}\n`
  await publishText(folder, receiptPath(folder, receipt.shard), `${receipt.shard}.receipt`, text)
}

export async function publishText(
  folder: Folder,
  path: string,
  name: string,
  text: string,
): Promise<void> {
  const draft = temporary(folder, name)
  const file = await open(draft, 'wx')
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await publish(draft, path, createHash('sha256').update(text).digest('hex'))
}
