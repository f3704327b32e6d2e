// One task in, one answer out.
import { parentPort, workerData } from 'node:worker_threads'
import { type SelectTask, select } from './select.ts'

parentPort!.postMessage(select(workerData as SelectTask))
