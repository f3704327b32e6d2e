import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { merged, type Nearest, type NearestTask } from './nearest.ts'
import type { Answers, Work } from './work.ts'

/** Fewer rows than this are not worth another thread. */
const rowsOfAThread = 4_096

/** Runs one piece of work on a thread of its own. Aborting ends the thread. */
export function compute<W extends Work>(
  work: W,
  signal?: AbortSignal,
): Promise<Answers[W['kind']]> {
  signal?.throwIfAborted()
  // Flags of this process, such as --input-type or --eval's, are not for a thread.
  const worker = new Worker(new URL('./worker.js', import.meta.url), {
    workerData: work,
    execArgv: [],
  })
  let abort = () => {}
  return new Promise((resolve, reject) => {
    abort = () => reject(signal!.reason)
    signal?.addEventListener('abort', abort, { once: true })
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', (code) =>
      reject(new Error(`The arithmetic thread ended with code ${code} before it answered`)),
    )
  }).finally(() => {
    signal?.removeEventListener('abort', abort)
    return worker.terminate()
  }) as Promise<Answers[W['kind']]>
}

/** Search over all rows, a range of them on each thread. The answer does not depend on how many there are. */
export async function search(
  task: Omit<NearestTask, 'kind' | 'from' | 'to'>,
  {
    signal,
    onProgress,
  }: {
    signal?: AbortSignal | undefined
    onProgress?: ((done: number, total: number) => void) | undefined
  } = {},
): Promise<Nearest> {
  const rows = task.order.length
  const size = Math.max(rowsOfAThread, Math.ceil(rows / (16 * availableParallelism())))
  const ranges = Array.from({ length: Math.max(1, Math.ceil(rows / size)) }, (_, i) => i * size)
  const parts: Nearest[] = new Array(ranges.length)
  let next = 0
  let done = 0
  const lane = async () => {
    while (next < ranges.length) {
      const place = next++
      const from = ranges[place]!
      parts[place] = await compute(
        { ...task, kind: 'nearest', from, to: Math.min(rows, from + size) },
        signal,
      )
      onProgress?.(++done, ranges.length)
    }
  }
  await Promise.all(Array.from({ length: Math.min(ranges.length, availableParallelism()) }, lane))
  return merged(parts, task.order, task.top)
}
