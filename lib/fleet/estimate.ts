// What a job takes, from the speed of one worker.
import type { Embedder } from '../index.ts'
import { recordsOf } from './input/read.ts'
import type { Job } from './manifest.ts'

/** How fast one worker is, and what a million records take at that speed. */
export interface Estimate {
  /** Records a second of one worker. */
  readonly rate: number
  readonly workerHours: number
  readonly workerHoursPerMillion: number
}

/** From a rate (records a second of one worker) that was measured elsewhere, or by {@link measure}. */
export function estimate(job: Job, rate: number): Estimate {
  const records = job.inputs.reduce((sum, { records }) => sum + records, 0)
  return { rate, workerHours: records / rate / 3600, workerHoursPerMillion: 1e6 / rate / 3600 }
}

const sampleShards = 8
const samplePerShard = 16

/** Embeds the first records of some shards. `out` is the job's place. @returns records a second */
export async function measure(
  job: Job,
  embedder: Embedder,
  out: string,
  signal: AbortSignal = new AbortController().signal,
): Promise<number> {
  const { dimensions, instruction } = job.job
  const step = Math.max(1, Math.floor(job.shards.length / sampleShards))
  const texts: string[] = []
  for (let i = 0; i < job.shards.length && i < step * sampleShards; i += step) {
    const shard = job.shards[i]!
    const input = job.inputs[shard.input]!
    let left = Math.min(samplePerShard, shard.rows)
    for await (const some of recordsOf({ out, input, shard, job: job.job, signal })) {
      for (const { record } of some.slice(0, left)) if ('text' in record) texts.push(record.text)
      left -= some.length
      if (left <= 0) break
    }
  }
  await embedder.warm({ signal })
  const startedAt = performance.now()
  await embedder.embedEach(texts, { instruction, dimensions, truncate: 'end', signal })
  return texts.length / ((performance.now() - startedAt) / 1000)
}
