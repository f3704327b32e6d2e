// A worker: claims shards, has them made, each published once. Here are leases and words; the work is in a thread.
import { Qwen3Error, refuseUnknown } from '../errors.ts'
import type { LoadOptions } from '../index.ts'
import { Meter, type OnProgress, reporting } from '../progress.ts'
import { Thread } from '../thread/thread.ts'
import { type Job, readManifest, type Shard } from './manifest.ts'
import { holds, type Receipt, readReceipt } from './receipt.ts'
import type { Crossing, News, ShardMethods } from './shard/worker.ts'
import type { Claim, ShardSource } from './source.ts'
import { openStore, type Store } from './stores/store.ts'

export interface WorkOptions {
  /** The job's folder, or its place in an object store. */
  out: string
  source: ShardSource
  /** The model, where it is not where the plan says. It must have the plan's fingerprint. */
  model?: string | undefined
  /** How it is loaded, but for `pool`. `isolation` is 'process' here, so that no text ends the worker. */
  load?: LoadOptions | undefined
  /** Called when a shard ends, in whatever way. */
  onShard?: ((outcome: Outcome) => void) | undefined
  signal?: AbortSignal | undefined
  /** `phase: 'embed'`, records of the shard in hand. */
  onProgress?: OnProgress | undefined
}

export interface Outcome {
  readonly shard: string
  /** `known` had a receipt before; `lost` went to another worker. */
  readonly state: 'done' | 'known' | 'lost' | 'failed'
  readonly receipt?: Receipt
  readonly error?: Error
}

export interface WorkReport {
  readonly done: number
  readonly known: number
  readonly lost: number
  readonly failed: number
  readonly rows: number
  readonly tokens: number
}

const known = ['out', 'source', 'model', 'load', 'onShard', 'signal', 'onProgress'] as const

/** Deaths of the computing process in a minute that are borne: halving 512 texts takes about twenty. */
const isolation = { retry: false, maxRestarts: 1_000 }

/** Errors that another attempt would meet again. */
const lasting = ['ERR_INPUT_CHANGED', 'ERR_SHARD_DIFFERS']

/** Errors of this machine: another one may well make the shard. */
const own = ['ERR_DISK_FULL', 'ERR_OUT_OF_MEMORY']

/**
 * Works until the source has nothing left or `signal` aborts; the source stays its owner's.
 *
 * @throws Qwen3Error `ERR_FLEET` (no plan), `ERR_MODEL_MISMATCH` (another model than the plan's), `ERR_DISK_FULL` and
 * `ERR_OUT_OF_MEMORY` (the shard was handed back), what loading throws; the signal's reason. What a shard fails of is
 * told by `onShard` and its source.
 */
export async function work(options: WorkOptions): Promise<WorkReport> {
  refuseUnknown(options, known, 'option')
  const stop = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal
  return reporting(
    options.onProgress,
    () => stop.abort(),
    (onProgress) => working({ ...options, signal, onProgress }, signal),
  )
}

async function working(options: WorkOptions, signal: AbortSignal): Promise<WorkReport> {
  const { source, onShard, onProgress } = options
  const store = openStore(options.out)
  const job = await readManifest(store)
  const shards = new Map(job.shards.map((shard) => [shard.id, shard]))
  const thread = new Thread<ShardMethods>(new URL('./shard/worker.js', import.meta.url), {})
  const report = { done: 0, known: 0, lost: 0, failed: 0, rows: 0, tokens: 0 }
  try {
    await loadFor(job, thread, options, signal)
    const bench: Bench = { out: options.out, store, job, thread, onProgress }
    for (;;) {
      signal.throwIfAborted()
      const claim = await source.claim(signal)
      if (!claim) return report
      const outcome = await oneShard(bench, claim, shards.get(claim.shard), signal)
      report[outcome.state]++
      if (outcome.state === 'done') {
        report.rows += outcome.receipt!.rows
        report.tokens += outcome.receipt!.tokens
      }
      onShard?.(outcome)
    }
  } finally {
    await thread.call('close', []).catch(() => {})
    await thread.end()
  }
}

async function loadFor(
  { job }: Job,
  thread: Thread<ShardMethods>,
  options: WorkOptions,
  signal: AbortSignal,
): Promise<void> {
  const { model, fingerprint, instruction, kernels, maxTokens } = job
  const pinned = kernels === 'any' ? {} : { kernels }
  const { pool: _, signal: ofLoad, onProgress, ...given } = options.load ?? {}
  const crossing: Crossing = { isolation, ...pinned, maxTokens, ...given }
  const either = ofLoad ? AbortSignal.any([signal, ofLoad]) : signal
  const onNews = (news: unknown) => {
    if ('loading' in (news as News)) onProgress?.((news as { loading: never }).loading)
  }
  const info = await thread
    .call('load', [options.model ?? model, crossing], onNews, either)
    .catch((error: unknown) => {
      throw either.aborted ? either.reason : error
    })
  const found = instruction === '' ? info.fingerprint : info.queryFingerprint
  const wrong =
    found !== fingerprint
      ? `Expected the model with the fingerprint ${fingerprint} but ${info.path} has ${found}`
      : kernels !== 'any' && info.kernels !== kernels
        ? `Expected the kernels ${kernels} but this machine computes with ${info.kernels}`
        : undefined
  if (wrong === undefined) return
  const remedy = 'Every worker of a job needs what its plan names.'
  throw new Qwen3Error('ERR_MODEL_MISMATCH', wrong, { path: info.path }, { remedy })
}

interface Bench {
  readonly out: string
  readonly store: Store
  readonly job: Job
  readonly thread: Thread<ShardMethods>
  readonly onProgress: OnProgress | undefined
}

async function oneShard(
  bench: Bench,
  claim: Claim,
  shard: Shard | undefined,
  signal: AbortSignal,
): Promise<Outcome> {
  const id = claim.shard
  try {
    if (!shard)
      throw new Qwen3Error('ERR_FLEET', `The queue has ${id}, which the plan has not`, {
        shard: id,
      })
    const before = await done(bench, id)
    const receipt = before ?? (await made(bench, shard, claim, signal))
    // A source that no longer knows this worker refuses; the shard is published all the same.
    const isMine = await claim.complete(receipt).then(
      () => true,
      () => false,
    )
    return { shard: id, state: before ? 'known' : isMine ? 'done' : 'lost', receipt }
  } catch (error) {
    if (claim.lost.aborted) return { shard: id, state: 'lost' }
    const reason = error as Error
    const code = reason instanceof Qwen3Error ? reason.code : ''
    if (signal.aborted || own.includes(code) || bench.thread.isGone) {
      await claim.release().catch(() => {})
      throw signal.aborted ? signal.reason : error
    }
    await claim.fail(reason, !lasting.includes(code)).catch(() => {})
    return { shard: id, state: 'failed', error: reason }
  }
}

/** The receipt of a shard whose files are there too. */
async function done({ store, job }: Bench, id: string): Promise<Receipt | undefined> {
  const receipt = await readReceipt(store, id)
  const isMine = receipt?.job === job.name && (await holds(store, receipt, job.job.format))
  return isMine ? receipt : undefined
}

function made(bench: Bench, shard: Shard, claim: Claim, signal: AbortSignal): Promise<Receipt> {
  const { job, out, thread, onProgress } = bench
  const work = { phase: 'embed', unit: 'records', total: shard.rows, file: shard.id } as const
  const meter = new Meter(work, onProgress)
  const onNews = (news: unknown) => {
    if (!('rows' in (news as News))) return
    const { rows } = news as { rows: number }
    meter.reach(rows)
    claim.progress(rows / shard.rows)
  }
  const input = job.inputs[shard.input]!
  const making = { out, name: job.name, job: job.job, input, shard }
  return thread.call('make', [making], onNews, AbortSignal.any([signal, claim.lost]))
}
