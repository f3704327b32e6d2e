// A worker: claims shards, embeds them, publishes each once.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Qwen3Error, refuseUnknown } from '../errors.ts'
import { Embedder, type LoadOptions } from '../index.ts'
import { Meter, type OnProgress } from '../progress.ts'
import { version } from '../root.ts'
import { batchesOf, embedRecords } from './embed.ts'
import { exists, type Folder, folderOf, publish, sha256Of } from './folder.ts'
import { inputChanged, type Job, readManifest, refuseChanged, type Shard } from './manifest.ts'
import { holds, type Receipt, readReceipt, writeReceipt } from './receipt.ts'
import { type Line, recordLines } from './records.ts'
import { type Sealed, ShardFile } from './shard-file.ts'
import type { Claim, ShardSource } from './source.ts'

export interface WorkOptions {
  /** The job's folder. */
  out: string
  source: ShardSource
  /** The model, where it is not where the plan says. It must have the plan's fingerprint. */
  model?: string | undefined
  /** How it is loaded. `isolation` is 'process' here, so that no text ends the worker. */
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

/**
 * Works until the source has nothing left or `signal` aborts; the source stays its owner's.
 *
 * @throws Qwen3Error `ERR_FLEET` (no plan), `ERR_MODEL_MISMATCH` (another model than the plan's), what loading throws;
 * the signal's reason. What a shard fails of is told by `onShard` and its source.
 */
export async function work(options: WorkOptions): Promise<WorkReport> {
  refuseUnknown(options, known, 'option')
  const { source, onShard, onProgress, signal = new AbortController().signal } = options
  const folder = folderOf(options.out)
  const job = await readManifest(folder)
  const shards = new Map(job.shards.map((shard) => [shard.id, shard]))
  const embedder = await loadFor(job, options, signal)
  const report = { done: 0, known: 0, lost: 0, failed: 0, rows: 0, tokens: 0 }
  try {
    for (;;) {
      signal.throwIfAborted()
      const claim = await source.claim(signal)
      if (!claim) return report
      const shard = shards.get(claim.shard)
      const outcome = await oneShard({ folder, job, embedder, onProgress }, claim, shard, signal)
      report[outcome.state]++
      if (outcome.state === 'done') {
        report.rows += outcome.receipt!.rows
        report.tokens += outcome.receipt!.tokens
      }
      onShard?.(outcome)
    }
  } finally {
    await embedder.close()
  }
}

async function loadFor(job: Job, options: WorkOptions, signal: AbortSignal): Promise<Embedder> {
  const { model, fingerprint, instruction, kernels, maxTokens } = job.job
  const pinned = kernels === 'any' ? {} : { kernels }
  const embedder = await Embedder.load(options.model ?? model, {
    isolation,
    ...pinned,
    maxTokens,
    signal,
    ...options.load,
  })
  const { info } = embedder
  const found = instruction === '' ? info.fingerprint : info.queryFingerprint
  const wrong =
    found !== fingerprint
      ? `Expected the model with the fingerprint ${fingerprint} but ${info.path} has ${found}`
      : kernels !== 'any' && info.kernels !== kernels
        ? `Expected the kernels ${kernels} but this machine computes with ${info.kernels}`
        : undefined
  if (wrong === undefined) return embedder
  await embedder.close()
  throw new Qwen3Error(
    'ERR_MODEL_MISMATCH',
    wrong,
    { path: info.path },
    {
      remedy: 'Every worker of a job needs what its plan names.',
    },
  )
}

interface Bench {
  readonly folder: Folder
  readonly job: Job
  readonly embedder: Embedder
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
    const receipt =
      before ?? (await made(bench, shard, claim, AbortSignal.any([signal, claim.lost])))
    // A source that no longer knows this worker refuses; the shard is published all the same.
    const isMine = await claim.complete(receipt).then(
      () => true,
      () => false,
    )
    return { shard: id, state: before ? 'known' : isMine ? 'done' : 'lost', receipt }
  } catch (error) {
    if (claim.lost.aborted) return { shard: id, state: 'lost' }
    if (signal.aborted) {
      await claim.release().catch(() => {})
      throw signal.reason
    }
    const reason = error as Error
    const isLasting = reason instanceof Qwen3Error && lasting.includes(reason.code)
    await claim.fail(reason, !isLasting).catch(() => {})
    return { shard: id, state: 'failed', error: reason }
  }
}

/** The receipt of a shard whose files are there too. */
async function done({ folder, job }: Bench, id: string): Promise<Receipt | undefined> {
  const receipt = await readReceipt(folder, id)
  return receipt?.job === job.name && (await holds(folder, receipt)) ? receipt : undefined
}

async function made(
  bench: Bench,
  shard: Shard,
  claim: Claim,
  signal: AbortSignal,
): Promise<Receipt> {
  const { folder, job, embedder } = bench
  const input = job.inputs[shard.input]!
  await refuseChanged(input, shard.id)
  await mkdir(folder.drafts, { recursive: true })
  const file = await ShardFile.open(folder, job.job, shard)
  try {
    const meter = new Meter(
      { phase: 'embed', unit: 'records', total: shard.rows, file: shard.id },
      bench.onProgress,
    )
    const lines = linesOf(input.path, shard, signal)
    const batches = batchesOf(lines, job.job, shard.first)
    for await (const rows of embedRecords(embedder, batches, job.job, signal)) {
      signal.throwIfAborted()
      await file.write(rows)
      meter.reach(file.rows)
      claim.progress(file.rows / shard.rows)
    }
    await refuseChanged(input, shard.id)
    if (file.rows !== shard.rows)
      throw inputChanged(input, shard.id, `${shard.id} has ${file.rows} records, not ${shard.rows}`)
    signal.throwIfAborted()
    const sealed = await file.seal()
    const receipt = receiptOf(bench, shard, sealed)
    await publishAll(folder, receipt, sealed)
    await writeReceipt(folder, receipt)
    return (await readReceipt(folder, shard.id)) ?? receipt
  } finally {
    await file.discard()
  }
}

async function* linesOf(path: string, shard: Shard, signal: AbortSignal): AsyncGenerator<Line[]> {
  const { first, rows, bytes } = shard
  if (bytes) {
    yield* recordLines(path, signal, bytes)
    return
  }
  let at = 0
  for await (const lines of recordLines(path, signal)) {
    const some = lines.slice(Math.max(0, first - at), Math.max(0, first + rows - at))
    at += lines.length
    if (some.length > 0) yield some
    if (at >= first + rows) return
  }
}

function receiptOf({ job, embedder }: Bench, shard: Shard, sealed: Sealed): Receipt {
  const { rows, tokens, failed, bytes, files } = sealed
  const { fingerprint } = job.job
  const { kernels, device } = embedder.info
  return {
    shard: shard.id,
    job: job.name,
    rows,
    tokens,
    failed,
    sha256: files.at(-1)!.sha256,
    idsSha256: files.length > 1 ? files[0]!.sha256 : '',
    bytes,
    fingerprint,
    kernels: device === 'CPU' ? kernels : `${device} ${kernels}`.trim(),
    version,
  }
}

async function publishAll(folder: Folder, receipt: Receipt, sealed: Sealed): Promise<void> {
  for (const { draft, ending, sha256 } of sealed.files) {
    const path = join(folder.shards, `${receipt.shard}${ending}`)
    if ((await publish(draft, path, sha256)) === 'different')
      await refuseDifferent(folder, receipt, path)
  }
}

const receiptMs = 1_000

/** Other kernels, and GPUs, differ in the last digits: the first result stands. The same kernels never do. */
async function refuseDifferent(folder: Folder, receipt: Receipt, path: string): Promise<void> {
  const isCpu = !receipt.kernels.includes(' ')
  let other = await readReceipt(folder, receipt.shard)
  // Its maker may be about to write it.
  for (let waited = 0; !other && waited < receiptMs; waited += 100) {
    await sleep(100)
    other = await readReceipt(folder, receipt.shard)
  }
  if (other && (other.kernels !== receipt.kernels || !isCpu) && other.rows === receipt.rows) return
  throw new Qwen3Error(
    'ERR_SHARD_DIFFERS',
    `${path} is there with other bytes than ${receipt.kernels} gives here` +
      (other ? `, made with ${other.kernels} by version ${other.version}` : ', and has no receipt'),
    { path, shard: receipt.shard, sha256: (await exists(path)) ? await sha256Of(path) : '' },
    {
      remedy:
        'Find out which is right (another version, a failing disk?), remove the wrong one and work again.',
    },
  )
}
