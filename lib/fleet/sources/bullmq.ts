// Shards from a BullMQ queue on Redis or Valkey. It carries names only, and may be lost whole: `finish` fills it again.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Job as QueueJob, Queue, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { Qwen3Error } from '../../errors.ts'
import type { ShardId } from '../manifest.ts'
import type { Receipt } from '../receipt.ts'
import type { Claim, Counts, ShardSource } from '../source.ts'

export interface BullSourceOptions {
  /** The job's name: its queue is `fleet-<name>`. */
  job: string
  /** `redis://` or `rediss://` */
  url: string
  /** After which a shard of a worker that says nothing goes to another, in milliseconds. @default 60,000 */
  lockMs?: number | undefined
  /** How often a shard may lose its worker before it counts as failed: 10 suits machines that are taken away. @default 3 */
  maxStalls?: number | undefined
}

const attempts = 3
/** At the end of a job all workers ask: a thousand of them must not keep the queue busy with it. */
const firstPollMs = 250
const longestPollMs = 5_000
const addedAtOnce = 1_000

export class BullSource implements ShardSource {
  readonly #queue: Queue
  readonly #connection: Redis
  readonly #makeWorker: () => Worker
  readonly #lockMs: number
  readonly #token = randomUUID()
  #worker: Worker | undefined

  private constructor(queue: Queue, connection: Redis, makeWorker: () => Worker, lockMs: number) {
    this.#queue = queue
    this.#connection = connection
    this.#makeWorker = makeWorker
    this.#lockMs = lockMs
  }

  /** @throws Qwen3Error `ERR_FLEET` where bullmq or ioredis is not installed */
  static async open({
    job,
    url,
    lockMs = 60_000,
    maxStalls = 3,
  }: BullSourceOptions): Promise<BullSource> {
    const { bullmq, ioredis } = await peers()
    // Commands wait for a server that is away; they never fail for it.
    const connection = new ioredis.Redis(url, { maxRetriesPerRequest: null })
    // Told by its absence; an event without a listener would end the process.
    connection.on('error', () => {})
    const name = `fleet-${job}`
    const queue = new bullmq.Queue(name, { connection })
    queue.on('error', () => {})
    const makeWorker = () => {
      const worker = new bullmq.Worker(name, null, {
        connection,
        autorun: false,
        concurrency: 1,
        lockDuration: lockMs,
        stalledInterval: lockMs / 2,
        maxStalledCount: maxStalls,
      })
      worker.on('error', () => {})
      return worker
    }
    return new BullSource(queue, connection, makeWorker, lockMs)
  }

  async enqueue(shards: readonly ShardId[], again = false): Promise<void> {
    for (let from = 0; from < shards.length; from += addedAtOnce) {
      const some = shards.slice(from, from + addedAtOnce)
      if (again) await Promise.all(some.map((shard) => this.#forget(shard)))
      const backoff = { type: 'exponential', delay: 1_000 }
      await this.#queue.addBulk(
        some.map((shard) => ({
          name: 'shard',
          data: {},
          opts: { jobId: shard, attempts, backoff },
        })),
      )
    }
  }

  async claim(signal: AbortSignal): Promise<Claim | undefined> {
    if (!this.#worker) {
      this.#worker = this.#makeWorker()
      await this.#worker.startStalledCheckTimer()
    }
    for (let pollMs = firstPollMs; ; pollMs = Math.min(longestPollMs, pollMs * 2)) {
      signal.throwIfAborted()
      const job = await this.#worker.getNextJob(this.#token, { block: false })
      if (job) return this.#claimed(job)
      const { waiting, running } = await this.counts()
      if (waiting + running === 0) return undefined
      // What others hold may come back.
      await sleep(pollMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {})
    }
  }

  async counts(): Promise<Counts> {
    const kinds = ['waiting', 'prioritized', 'delayed', 'active', 'completed', 'failed'] as const
    const found = await this.#queue.getJobCounts(...kinds)
    const of = (kind: (typeof kinds)[number]) => found[kind] ?? 0
    return {
      waiting: of('waiting') + of('prioritized') + of('delayed'),
      running: of('active'),
      done: of('completed'),
      failed: of('failed'),
    }
  }

  async close(): Promise<void> {
    await this.#worker?.close()
    await this.#queue.close()
    this.#connection.disconnect()
  }

  /** What the queue takes for over it would not take again. */
  async #forget(shard: ShardId): Promise<void> {
    const job = await this.#queue.getJob(shard)
    if (!job) return
    const state = await job.getState()
    if (state === 'completed' || state === 'failed') await job.remove()
  }

  #claimed(job: QueueJob): Claim {
    const lost = new AbortController()
    let renewedAt = performance.now()
    const lose = () => {
      clearInterval(timer)
      lost.abort(new Error(`The lease of ${job.id} ended`))
    }
    const renew = async () => {
      const isRenewed = await job.extendLock(this.#token, this.#lockMs).then(
        (held) => held === 1,
        () => false,
      )
      if (isRenewed) renewedAt = performance.now()
      else lose()
    }
    const timer = setInterval(() => {
      // A server that is away answers nothing: by then the lock is over.
      if (performance.now() - renewedAt > this.#lockMs) lose()
      else void renew()
    }, this.#lockMs / 4)
    const settled = async (settle: () => Promise<unknown>) => {
      clearInterval(timer)
      await settle()
    }
    return {
      shard: job.id!,
      attempt: job.attemptsMade + 1,
      lost: lost.signal,
      progress: () => {},
      complete: (receipt: Receipt) =>
        settled(() => job.moveToCompleted(receipt, this.#token, false)),
      fail: (error, retry) => {
        // The queue knows by this name that another attempt would meet the same.
        const reason = retry
          ? error
          : Object.assign(new Error(error.message), { name: 'UnrecoverableError' })
        return settled(() => job.moveToFailed(reason, this.#token, false))
      },
      release: () => settled(() => job.moveToWait(this.#token)),
    }
  }
}

async function peers() {
  try {
    return { bullmq: await import('bullmq'), ioredis: await import('ioredis') }
  } catch (cause) {
    throw new Qwen3Error(
      'ERR_FLEET',
      'A queue needs the packages bullmq and ioredis, which are not installed',
      {},
      { remedy: 'npm install bullmq@6 ioredis@6', cause },
    )
  }
}
