// The process that computes for a model: it does what its host asks, and ends with it.
import { writeFileSync } from 'node:fs'
import { LocalEngine } from '../engine.ts'
import { Qwen3Error } from '../errors.ts'
import type { Control } from '../job.ts'
import { native } from '../native.ts'
import { version } from '../root.ts'
import { type Answer, type Load, plainError, type Request, type RunRequest } from './protocol.ts'

interface ParentPort {
  on(event: 'message', listener: (event: { data: Request }) => void): void
  postMessage(message: Answer): void
}

const port = (process as { parentPort?: ParentPort }).parentPort
const tell = (answer: Answer) => {
  if (port) port.postMessage(answer)
  // What cannot be told any more has no reader: the channel's end ends this process.
  else process.send?.(answer, undefined, undefined, () => {})
}

let engine: LocalEngine | undefined
const running = new Map<number, AbortController>()

const load = (): Load => ({ stats: engine?.stats(), memory: process.memoryUsage.rss() })

async function answer(request: Request): Promise<void> {
  if (request.op === 'cancel') return running.get(request.id)?.abort()
  if (request.op === 'ping') return tell({ is: 'pong' })
  if (request.op === 'close') return end()
  const { id } = request
  const stop = new AbortController()
  running.set(id, stop)
  try {
    if (request.op === 'load') await open(request, stop.signal)
    else await run(request, stop.signal)
  } catch (error) {
    if (!(error instanceof Qwen3Error) && !stop.signal.aborted) return fail(error)
    tell({ is: 'error', id, error: plainError(error), load: load() })
  } finally {
    running.delete(id)
  }
}

async function open({ id, options }: Request & { op: 'load' }, signal: AbortSignal): Promise<void> {
  // A utility process is not the child of whom it serves.
  if (!port) native().binding.endWithParent()
  const onProgress: Control['onProgress'] = ({ done, total }) =>
    tell({ is: 'progress', id, done: done / total })
  engine = await LocalEngine.open(options, { signal, onProgress })
  tell({ is: 'loaded', id, facts: engine.facts, load: load() })
}

async function run(request: RunRequest, signal: AbortSignal): Promise<void> {
  const { id, options, groups, width, isTold } = request
  const n = groups.reduce((sum, { bodies }) => sum + bodies.length, 0)
  const vectors = width > 0 ? new Float32Array(n * width) : undefined
  const scores = options.task === 'rank' ? new Float64Array(n) : undefined
  const out = { ...(vectors && { vectors }), ...(scores && { scores }) }
  const onProgress: Control['onProgress'] = isTold
    ? ({ done }) => tell({ is: 'progress', id, done, load: load() })
    : undefined
  const asIs = (text: string) => text
  const done = await engine!.run(options, groups, asIs, out, { signal, onProgress })
  const { tokens, cut, rows, ids, texts } = done
  const failures = [...done.failures.values()].map(plainError)
  const result = { vectors, scores, tokens, cut, failures, rows, ids, texts }
  tell({ is: 'result', id, result, load: load() })
}

/** Nothing that is foreseen: JavaScript's own memory ran out, say. Another process can do it, or tells the same. */
function fail(error: unknown): void {
  process.stderr.write(`${(error as Error | undefined)?.stack ?? error}\n`)
  process.exit(1)
}

async function end(): Promise<void> {
  await engine?.close()
  process.exit(0)
}

/** Where memory runs out, the kernel takes this process and not its host. */
function offerOurselves(): void {
  if (process.platform !== 'linux') return
  try {
    writeFileSync('/proc/self/oom_score_adj', '500')
  } catch {
    // Not ours to say in this container.
  }
}

// Terminals and supervisors signal whole groups: the host decides what its end means, and this process follows it.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) process.on(name, () => {})
offerOurselves()
if (port) {
  port.on('message', ({ data }) => void answer(data))
} else {
  process.on('message', (request) => void answer(request as Request))
  process.on('disconnect', () => process.exit(0))
}
tell({ is: 'hello', version })
