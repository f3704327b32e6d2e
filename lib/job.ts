// One call in flight, seen from JavaScript: texts go over in slices, results come back in typed arrays.
import type { Qwen3Error } from './errors.ts'
import {
  call,
  type NativeJobOptions,
  type NativeModel,
  type NativeReport,
  native,
  wrap,
} from './native.ts'
import { Meter, type OnProgress, reporting } from './progress.ts'

/** Characters handed to native code in one turn of the event loop: about a millisecond of copying. */
const sliceChars = 1 << 18

/** A text, or the token ids of one. */
export type Body = string | Int32Array

/** Texts that share what stands before them: an instruction, or the query of a pair. */
export interface Group {
  readonly head: string
  readonly bodies: readonly Body[]
}

export interface Control {
  signal?: AbortSignal | undefined
  onProgress?: OnProgress | undefined
}

/** Memory that results are written into, at each text's own index. */
export interface Out {
  /** (n × dimensions) */
  readonly vectors?: Float32Array
  /** (n) */
  readonly scores?: Float64Array
}

export interface Outcome {
  /** (n): tokens of each text before any cut, everything around it included. */
  tokens: Int32Array
  /** (n): how many of them were cut off the end. */
  cut: Int32Array
  /** By index, of texts that failed on their own. */
  failures: Map<number, Qwen3Error>
  /** Of `pooling: 'none'`: (n)(tokens, dimensions). */
  rows: Float32Array[]
  /** Of `onlyTokens`: (n)(tokens). */
  ids: Int32Array[]
  /** Of `onlyText`: (n). */
  texts: string[]
}

/** `shape` makes of each body what goes over, a slice at a time: templates and NFC grow with the text. */
export async function runJob(
  model: NativeModel,
  options: NativeJobOptions,
  groups: readonly Group[],
  shape: (text: string) => string,
  out: Out,
  { signal, onProgress }: Control,
): Promise<Outcome> {
  signal?.throwIfAborted()
  const total = groups.reduce((sum, group) => sum + group.bodies.length, 0)
  const tokens = new Int32Array(total)
  const cut = new Int32Array(total)
  const job = new (native().binding.Job)(model, options)
  for (const { head, bodies } of slices(groups)) {
    job.add(
      head,
      bodies.map((body) => (typeof body === 'string' ? shape(body) : body)),
    )
    if (bodies.length < total) await turn()
    signal?.throwIfAborted()
  }
  const work = { phase: options.task === 'rank' ? 'rerank' : 'embed', unit: unitOf[options.task] }
  const report = await reporting(
    onProgress,
    () => job.abort(),
    (told): Promise<NativeReport> => {
      const meter = new Meter({ ...work, total }, told, 0)
      const progress = told && ((done: number) => meter.reach(done))
      const pending = job.run(out.vectors ?? null, out.scores ?? null, tokens, cut, progress)
      return call(signal ? abortable(pending, signal, () => job.abort()) : pending)
    },
  )
  const failures = new Map<number, Qwen3Error>()
  for (const failure of report.failures.map(wrap) as Qwen3Error[]) {
    failures.set(failure.facts.index as number, failure)
  }
  // Views of this realm: inside a test runner's, the addon's arrays are of another one.
  const rows = report.tokenRows.map(
    (row) => new Float32Array(row.buffer, row.byteOffset, row.length),
  )
  const ids = report.ids.map((list) => new Int32Array(list.buffer, list.byteOffset, list.length))
  return { tokens, cut, failures, rows, ids, texts: report.texts }
}

const unitOf = { embed: 'texts', rank: 'pairs' } as const

function* slices(groups: readonly Group[]): Generator<Group> {
  for (const { head, bodies } of groups) {
    let first = 0
    let chars = 0
    for (let i = 0; i < bodies.length; i++) {
      chars += bodies[i]!.length
      if (chars < sliceChars && i + 1 < bodies.length) continue
      yield { head, bodies: bodies.slice(first, i + 1) }
      first = i + 1
      chars = 0
    }
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Rejects with the signal's reason at once; the native job settles unseen and lets go of its memory then. */
export function abortable<T>(
  pending: Promise<T>,
  signal: AbortSignal,
  stop: () => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = () => {
      stop()
      reject(signal.reason)
    }
    signal.addEventListener('abort', abort, { once: true })
    pending.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
