// The end of a job: from the manifest and the receipts alone, whatever became of a queue.
import { refuseUnknown } from '../errors.ts'
import { Meter, type OnProgress, reporting } from '../progress.ts'
import { Thread } from '../thread/thread.ts'
import type { InputMethods } from './input/worker.ts'
import { receiptName, successName } from './job-files.ts'
import { readManifest, type Job, type ShardId } from './manifest.ts'
import { digestsOf, type Receipt } from './receipt.ts'
import type { ShardSource } from './source.ts'
import { accounted, type Totals, totalsOf } from './status.ts'
import { publishBytes } from './stores/draft.ts'
import { openStore, readWhole, type Store } from './stores/store.ts'

export interface FinishOptions {
  /** The job's folder, or its place in an object store. */
  out: string
  /** Gets what is missing or damaged. */
  source?: ShardSource | undefined
  /** 'digests' reads every file of every shard; 'lengths' believes files of the length that their receipt says. @default 'digests' */
  check?: 'digests' | 'lengths' | undefined
  signal?: AbortSignal | undefined
  /** `phase: 'verify'`, bytes of files of vectors. */
  onProgress?: OnProgress | undefined
}

const known = ['out', 'source', 'check', 'signal', 'onProgress'] as const

export interface Finished {
  readonly job: string
  /** Shards without a receipt, or whose file is gone, is damaged, or has another length; the source has them again. */
  readonly missing: readonly ShardId[]
  /** Of `missing`, those whose bytes were not what their receipt says: the files and the receipt are removed. */
  readonly damaged: readonly ShardId[]
  /** Set once all are there. */
  readonly totals?: Totals
}

/**
 * Writes `_SUCCESS` with totals if every shard is there as its receipt says; running it again does nothing more.
 *
 * @throws Qwen3Error `ERR_FLEET` where there is no plan; the signal's reason
 */
export async function finish(options: FinishOptions): Promise<Finished> {
  refuseUnknown(options, known, 'option')
  const stop = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal
  return reporting(
    options.onProgress,
    () => stop.abort(),
    (onProgress) => finishing({ ...options, onProgress }, signal),
  )
}

async function finishing(options: FinishOptions, signal: AbortSignal): Promise<Finished> {
  const { out, source, check = 'digests' } = options
  const store = openStore(out)
  const job = await readManifest(store)
  if (await store.stat(successName)) {
    const { totals } = JSON.parse(`${await readWhole(store, successName)}`) as { totals: Totals }
    return { job: job.name, missing: [], damaged: [], totals }
  }
  const { receipts, missing } = await accounted(store, job)
  const damaged =
    check === 'digests' ? await damagedOf(store, job, receipts, signal, options.onProgress) : []
  for (const shard of damaged) await removeShard(store, job, receipts, shard)
  const isDamaged = new Set(damaged)
  const again = job.shards
    .map(({ id }) => id)
    .filter((id) => isDamaged.has(id) || missing.includes(id))
  if (again.length > 0) {
    await source?.enqueue(again, true)
    return { job: job.name, missing: again, damaged }
  }
  const totals = totalsOf(receipts)
  const facts = { job: job.name, ...job.job, totals }
  await publishBytes(store, successName, Buffer.from(`${JSON.stringify(facts, null, 2)}\n`))
  await store.sweep()
  return { job: job.name, missing: [], damaged, totals }
}

async function damagedOf(
  store: Store,
  { job }: Job,
  receipts: readonly Receipt[],
  signal: AbortSignal,
  onProgress: OnProgress | undefined,
): Promise<ShardId[]> {
  const total = receipts.reduce((sum, { bytes }) => sum + bytes, 0)
  const meter = new Meter({ phase: 'verify', unit: 'bytes', total }, onProgress)
  const thread = new Thread<InputMethods>(new URL('./input/worker.js', import.meta.url), {})
  const damaged: ShardId[] = []
  let bytes = 0
  try {
    for (const receipt of receipts) {
      for (const [name, sha256] of digestsOf(receipt, job.format)) {
        const found = await thread
          .call('digest', [store.root, name], undefined, signal)
          .catch((error: unknown) => {
            throw signal.aborted ? signal.reason : error
          })
        if (found === sha256) continue
        damaged.push(receipt.shard)
        break
      }
      bytes += receipt.bytes
      meter.reach(bytes)
    }
  } finally {
    await thread.end()
  }
  return damaged
}

/** The receipt last: without it a worker makes the shard again, and must find no file in its way. */
async function removeShard(
  store: Store,
  { job }: Job,
  receipts: readonly Receipt[],
  shard: ShardId,
): Promise<void> {
  const receipt = receipts.find((one) => one.shard === shard)!
  for (const name of digestsOf(receipt, job.format).keys()) await store.remove(name)
  await store.remove(receiptName(shard))
}
