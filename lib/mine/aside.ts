import { Worker } from 'node:worker_threads'
import type { Selected, SelectTask } from './select.ts'

/** Selects on a thread of its own. Aborting ends the thread. */
export function selectAside(task: SelectTask, signal?: AbortSignal): Promise<Selected> {
  signal?.throwIfAborted()
  const worker = new Worker(new URL('./worker.js', import.meta.url), {
    workerData: task,
    execArgv: [],
  })
  let abort = () => {}
  return new Promise<Selected>((resolve, reject) => {
    abort = () => reject(signal!.reason)
    signal?.addEventListener('abort', abort, { once: true })
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', (code) => reject(new Error(`The thread ended with code ${code} early`)))
  }).finally(() => {
    signal?.removeEventListener('abort', abort)
    return worker.terminate()
  })
}
