// Arithmetic that grows with the data, on a thread of its own: one task in, one answer out.
import { parentPort, workerData } from 'node:worker_threads'
import { run, type Work } from './work.ts'

parentPort!.postMessage(run(workerData as Work))
