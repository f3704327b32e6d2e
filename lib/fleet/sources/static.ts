// Shards by arithmetic: worker `index` of `count` takes every count-th one. Kubernetes, Slurm and Batch number workers.
import { misuse } from '../../errors.ts'
import type { ShardId } from '../manifest.ts'
import type { Claim, Counts, ShardSource } from '../source.ts'

export interface Share {
  /** From 0. */
  readonly index: number
  readonly count: number
}

const attempts = 3

export class StaticSource implements ShardSource {
  readonly #waiting: { shard: ShardId; attempt: number }[] = []
  readonly #share: Share
  readonly #seen = new Set<ShardId>()
  #running = 0
  #done = 0
  #failed = 0

  constructor({ index, count }: Share) {
    if (!Number.isInteger(count) || count < 1)
      throw misuse(RangeError, 'a whole number of at least 1', 'the option count', count)
    if (!Number.isInteger(index) || index < 0 || index >= count)
      throw misuse(RangeError, `a whole number from 0 to ${count - 1}`, 'the option index', index)
    this.#share = { index, count }
  }

  /** Of all shards of the job, in the manifest's order. */
  async enqueue(shards: readonly ShardId[]): Promise<void> {
    const { index, count } = this.#share
    for (const [i, shard] of shards.entries()) {
      if (i % count !== index || this.#seen.has(shard)) continue
      this.#seen.add(shard)
      this.#waiting.push({ shard, attempt: 1 })
    }
  }

  async claim(): Promise<Claim | undefined> {
    const next = this.#waiting.shift()
    if (!next) return undefined
    this.#running++
    return {
      ...next,
      lost: new AbortController().signal,
      progress: () => {},
      complete: async () => {
        this.#running--
        this.#done++
      },
      fail: async (_, retry) => {
        this.#running--
        if (retry && next.attempt < attempts)
          this.#waiting.push({ shard: next.shard, attempt: next.attempt + 1 })
        else this.#failed++
      },
      release: async () => {
        this.#running--
        this.#waiting.unshift(next)
      },
    }
  }

  async counts(): Promise<Counts> {
    const [running, done, failed] = [this.#running, this.#done, this.#failed]
    return { waiting: this.#waiting.length, running, done, failed }
  }

  async close(): Promise<void> {}
}

/** Which worker this is, as a scheduler says in the environment; undefined where none does. */
export function shareOf(
  env: Readonly<Record<string, string | undefined>>,
  count?: number,
): Share | undefined {
  const slurm = env.SLURM_ARRAY_TASK_ID
  if (slurm !== undefined) {
    // Arrays may begin at any number.
    const first = Number(env.SLURM_ARRAY_TASK_MIN ?? 0)
    return share('SLURM_ARRAY_TASK_ID', Number(slurm) - first, count ?? env.SLURM_ARRAY_TASK_COUNT)
  }
  const batch = env.AWS_BATCH_JOB_ARRAY_INDEX
  if (batch !== undefined)
    return share('AWS_BATCH_JOB_ARRAY_INDEX', Number(batch), count ?? env.AWS_BATCH_JOB_ARRAY_SIZE)
  const kubernetes = env.JOB_COMPLETION_INDEX
  if (kubernetes !== undefined) return share('JOB_COMPLETION_INDEX', Number(kubernetes), count)
  return undefined
}

function share(name: string, index: number, count: number | string | undefined): Share {
  if (count === undefined)
    throw misuse(
      TypeError,
      `the number of workers, which ${name} does not tell`,
      'the option count',
      count,
    )
  return { index, count: Number(count) }
}
