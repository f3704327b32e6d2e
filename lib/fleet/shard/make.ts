// One shard, from its records to its receipt. Runs beside the JS thread.
import { setTimeout as sleep } from 'node:timers/promises'
import { Qwen3Error } from '../../errors.ts'
import type { Embedder } from '../../index.ts'
import { version } from '../../root.ts'
import { recordsOf } from '../input/read.ts'
import { shardsPrefix } from '../job-files.ts'
import {
  inputChanged,
  type JobFacts,
  type PlannedInput,
  refuseChanged,
  type Shard,
} from '../manifest.ts'
import { openShardFile, type Row, type SealedFile } from '../output/shard-file.ts'
import { type Receipt, readReceipt, writeReceipt } from '../receipt.ts'
import { openStore, type Store } from '../stores/store.ts'
import { batchesOf, embedRecords } from './embed.ts'

export interface Making {
  /** The job's place and name. */
  readonly out: string
  readonly name: string
  readonly job: JobFacts
  readonly input: PlannedInput
  readonly shard: Shard
}

/**
 * @returns the receipt that stands, which may be another worker's
 * @throws Qwen3Error `ERR_INPUT_CHANGED`, `ERR_SHARD_DIFFERS`, `ERR_DISK_FULL`, `ERR_STORE`; the signal's reason.
 */
export async function makeShard(
  making: Making,
  embedder: Embedder,
  signal: AbortSignal,
  onRows: (rows: number) => void,
): Promise<Receipt> {
  const { out, input, shard, job, name } = making
  const store = openStore(out)
  const isFromInput = shard.piece === undefined
  if (isFromInput) await refuseChanged(input, shard.id)
  const { fingerprint } = job
  const kernels = kernelsOf(embedder)
  const metadata = { 'qwen3-embed': JSON.stringify({ job: name, ...job, kernels, version }) }
  const file = await openShardFile(store, job, shard, metadata)
  const startedAt = performance.now()
  const sum = { rows: 0, tokens: 0, failed: 0 }
  try {
    const batches = batchesOf(recordsOf({ out, input, shard, job, signal }))
    for await (const rows of embedRecords(embedder, batches, job, signal)) {
      signal.throwIfAborted()
      await file.write(rows)
      count(sum, rows)
      onRows(sum.rows)
    }
    if (isFromInput) await refuseChanged(input, shard.id)
    if (sum.rows !== shard.rows)
      throw inputChanged(input, shard.id, `${shard.id} has ${sum.rows} records, not ${shard.rows}`)
    signal.throwIfAborted()
    const ms = Math.round(performance.now() - startedAt)
    const files = await file.seal()
    const { sha256, bytes } = files.at(-1)!
    const idsSha256 = files.length > 1 ? files[0]!.sha256 : ''
    const made = { shard: shard.id, job: name, ...sum, sha256, idsSha256, bytes }
    const receipt: Receipt = { ...made, fingerprint, kernels, version, ms }
    await publishAll(store, receipt, files)
    await writeReceipt(store, receipt)
    return (await readReceipt(store, shard.id)) ?? receipt
  } finally {
    await file.discard()
  }
}

/** With its backend where a GPU computes: those have no kernels of ours. */
function kernelsOf({ info: { kernels, device } }: Embedder): string {
  return device === 'CPU' ? kernels : `${device} ${kernels}`.trim()
}

function count(sum: { rows: number; tokens: number; failed: number }, rows: readonly Row[]): void {
  sum.rows += rows.length
  for (const { tokens, error } of rows) {
    sum.tokens += tokens
    if (error) sum.failed++
  }
}

async function publishAll(
  store: Store,
  receipt: Receipt,
  files: readonly SealedFile[],
): Promise<void> {
  for (const { draft, ending, sha256 } of files) {
    const name = `${shardsPrefix}${receipt.shard}${ending}`
    if ((await store.publish(name, draft, sha256)) === 'different')
      await refuseDifferent(store, receipt, name)
  }
}

const receiptMs = 1_000

/** Other kernels, and GPUs, differ in the last digits: the first result stands. The same kernels never do. */
async function refuseDifferent(store: Store, receipt: Receipt, name: string): Promise<void> {
  const isCpu = !receipt.kernels.includes(' ')
  let other = await readReceipt(store, receipt.shard)
  // Its maker may be about to write it.
  for (let waited = 0; !other && waited < receiptMs; waited += 100) {
    await sleep(100)
    other = await readReceipt(store, receipt.shard)
  }
  if (other && (other.kernels !== receipt.kernels || !isCpu) && other.rows === receipt.rows) return
  const path = `${store.root}/${name}`
  throw new Qwen3Error(
    'ERR_SHARD_DIFFERS',
    `${path} is there with other bytes than ${receipt.kernels} gives here` +
      (other ? `, made with ${other.kernels} by version ${other.version}` : ', and has no receipt'),
    { path, shard: receipt.shard, sha256: receipt.sha256 },
    {
      remedy:
        'Find out which is right (another version, a failing disk?), remove the wrong one and work again.',
    },
  )
}
