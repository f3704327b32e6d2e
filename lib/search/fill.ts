// Vectors for passages that have none, a few seconds' worth at a time, each safe on disk before the one after the next
// begins.
import type { Embedder, OnProgress } from '../index.ts'
import { Meter } from '../progress.ts'
import type { FilledFile, PendingFile } from './store/store.ts'
import type { StoreMethods } from './store/worker.ts'
import type { Thread } from '../thread/thread.ts'

/** What a kill costs at most, about: two batches. */
const batchMs = 2_000
const fewest = 8
const most = 1_024

interface Batch {
  readonly files: readonly PendingFile[]
  readonly texts: readonly string[]
}

export interface FillOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
  /** Before each write. */
  readonly hold: () => Promise<void>
}

/** @returns how many passages got a vector, and how many of them could not be computed. */
export async function fill(
  store: Thread<StoreMethods>,
  space: number,
  embedder: Embedder,
  { signal, onProgress, hold }: FillOptions,
): Promise<{ filled: number; failed: number }> {
  const pending = await store.call('pendingFiles', [space])
  const meter = new Meter({ phase: 'embed', unit: 'passages', total: pending.chunks }, onProgress)
  let [filled, failed] = [0, 0]
  let size = 4 * fewest
  let writing: Promise<unknown> = Promise.resolve()
  for await (const batch of batches(store, space, pending.files, () => size)) {
    signal?.throwIfAborted()
    const begun = performance.now()
    const { vectors, failures } = await embedded(embedder, batch.texts, signal)
    const ms = performance.now() - begun
    size = Math.min(
      most,
      Math.max(fewest, Math.round((batch.texts.length * batchMs) / Math.max(ms, 1))),
    )
    await writing
    await hold()
    writing = store.call('putVectors', [space, filledFiles(batch, vectors, embedder.dimensions)])
    writing.catch(() => {})
    filled += batch.texts.length
    failed += failures
    meter.add(batch.texts.length, Math.min(filled, pending.chunks))
  }
  await writing
  return { filled, failed }
}

/** Whole files while they fit, so that what their passages share is computed once. */
async function* batches(
  store: Thread<StoreMethods>,
  space: number,
  files: readonly number[],
  size: () => number,
): AsyncGenerator<Batch> {
  let parts: PendingFile[] = []
  let count = 0
  const take = () => {
    const batch = { files: parts, texts: parts.flatMap(({ inputs }) => inputs) }
    parts = []
    count = 0
    return batch
  }
  for (const file of files) {
    const whole = await store.call('pendingTexts', [space, file])
    if (!whole) continue
    for (let from = 0; from < whole.chunks.length; ) {
      const room = Math.max(1, size() - count)
      const chunks = whole.chunks.slice(from, from + room)
      parts.push({ ...whole, chunks, inputs: whole.inputs.slice(from, from + room) })
      count += chunks.length
      from += chunks.length
      if (count >= size()) yield take()
    }
  }
  if (count > 0) yield take()
}

async function embedded(embedder: Embedder, texts: readonly string[], signal?: AbortSignal) {
  const results = await embedder.embedEach(texts, {
    role: 'document',
    priority: 'bulk',
    truncate: 'end',
    signal,
  })
  const width = embedder.dimensions
  const vectors = new Float32Array(texts.length * width)
  let failures = 0
  for (const [i, { vector, error }] of results.entries()) {
    if (vector) vectors.set(vector, i * width)
    // A text that no vector comes of is found by its words.
    else if (error.code === 'ERR_NON_FINITE' || error.code.startsWith('ERR_TEXT')) failures++
    else throw error
  }
  return { vectors, failures }
}

function filledFiles({ files }: Batch, vectors: Float32Array, width: number): FilledFile[] {
  let at = 0
  return files.map(({ file, hash, chunks }) => {
    const from = at
    at += chunks.length * width
    return { file, hash, chunks, vectors: vectors.slice(from, at) }
  })
}
