// Vectors of many texts on disk, under a name that says everything they depend on: made once, gone on with after a
// kill, used again by every run that asks for the same.
import { createHash } from 'node:crypto'
import { type FileHandle, mkdir, open, rename, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type EmbeddedText, type Embedder, Qwen3Error } from '../../index.ts'
import type { Matrix } from './matrix.ts'
import { begun, finished, ownPartial, type Progress, save } from './partial.ts'

/** What goes before each text. */
export interface Prompt {
  /** In Qwen3's template; empty for none. */
  instruction: string
  /** Before the text as it is, for models with words of their own. */
  prefix: string
  /** Which side of a search it is for: adapters may change queries alone. */
  role: 'query' | 'document'
}

export interface StoreOptions {
  folder: string
  prompt: Prompt
  pooling?: 'last' | 'mean' | 'cls' | undefined
  signal?: AbortSignal | undefined
  onProgress?: ((done: number, total: number) => void) | undefined
}

/** float32 rows of unit length. */
export interface VectorFile {
  path: string
  rows: number
  width: number
  /** Texts that were longer than the model takes and lost their ends. */
  cutTexts: number
}

const mostTexts = 512
const mostChars = 16_384
const checkpointMs = 1_000

export async function storeVectors(
  embedder: Embedder,
  texts: () => AsyncIterable<string> | Iterable<string>,
  options: StoreOptions,
): Promise<VectorFile> {
  const { digest, rows } = await digestOf(texts())
  const { fingerprint, queryFingerprint, maxTokens } = embedder.info
  const width = embedder.dimensions
  const identity = [
    options.prompt.role === 'query' ? queryFingerprint : fingerprint,
    options.prompt,
    options.pooling ?? '',
    maxTokens,
    width,
    digest,
  ]
  const key = createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 32)
  await mkdir(options.folder, { recursive: true })
  const path = join(options.folder, `${key}.f32`)
  const known = await finished(path, rows, width)
  if (known) return { path, rows, width, cutTexts: known.cutTexts }
  const { cutTexts } = await fill(embedder, texts(), path, rows, options)
  return { path, rows, width, cutTexts }
}

/** All rows in memory, shared with the arithmetic's threads. */
export async function loadVectors({ path, rows, width }: VectorFile): Promise<Matrix> {
  const values = new Float32Array(new SharedArrayBuffer(4 * rows * width))
  const file = await open(path, 'r')
  try {
    const bytes = new Uint8Array(values.buffer)
    for (let done = 0; done < bytes.length; ) {
      const { bytesRead } = await file.read(
        bytes,
        done,
        Math.min(1 << 24, bytes.length - done),
        done,
      )
      if (bytesRead === 0)
        throw new Qwen3Error('ERR_CACHE', `${path} ends early: delete it`, { path })
      done += bytesRead
    }
  } finally {
    await file.close()
  }
  return { values, rows, width }
}

async function fill(
  embedder: Embedder,
  texts: AsyncIterable<string> | Iterable<string>,
  path: string,
  total: number,
  options: StoreOptions,
): Promise<Progress> {
  const { signal, onProgress, prompt, pooling } = options
  const partial = await ownPartial(path)
  const state = await begun(partial, embedder.dimensions)
  const file = await open(partial, 'a+')
  try {
    await file.truncate(4 * state.rows * embedder.dimensions)
    // The first batch is made safe at once: long texts may take minutes.
    let savedAt = Number.NEGATIVE_INFINITY
    const call = {
      instruction: prompt.instruction,
      role: prompt.role,
      truncate: 'end' as const,
      priority: 'bulk' as const,
      ...(pooling ? { pooling } : {}),
      ...(signal ? { signal } : {}),
    }
    // Our own pass gives a text the same bits in any company; elsewhere batches run alone, and are always the same.
    const depth = embedder.info.engine === 'packed' ? 4 : 1
    const pending: Promise<EmbeddedText[]>[] = []
    const write = async () => {
      const batch = await pending.shift()!
      await append(file, batch, state)
      onProgress?.(state.rows, total)
      if (performance.now() - savedAt < checkpointMs) return
      await save(file, partial, state)
      savedAt = performance.now()
    }
    for await (const batch of batches(skipped(texts, state.rows))) {
      const result = embedder.embedEach(
        batch.map((text) => prompt.prefix + text),
        call,
      )
      result.catch(() => {})
      pending.push(result)
      if (pending.length >= depth) await write()
    }
    while (pending.length > 0) await write()
    await file.sync()
  } catch (error) {
    await unlink(`${partial}.lock`).catch(() => {})
    throw error
  } finally {
    await file.close()
  }
  await writeFile(`${path}.json`, JSON.stringify(state))
  await rename(partial, path)
  await unlink(`${partial}.progress`).catch(() => {})
  await unlink(`${partial}.lock`).catch(() => {})
  return state
}

async function append(
  file: FileHandle,
  batch: readonly EmbeddedText[],
  state: Progress,
): Promise<void> {
  const width = batch.find(({ vector }) => vector)?.vector?.length ?? 0
  const whole = new Float32Array(batch.length * width)
  for (const [i, { vector, error, cut }] of batch.entries()) {
    if (error) {
      const text = state.rows + i + 1
      throw new Qwen3Error(
        error.code,
        `Text ${text} of the data set: ${error.message}`,
        { ...error.facts, text },
        { cause: error },
      )
    }
    whole.set(vector!, i * width)
    if (cut > 0) state.cutTexts++
  }
  await file.write(new Uint8Array(whole.buffer))
  state.rows += batch.length
}

async function digestOf(texts: AsyncIterable<string> | Iterable<string>) {
  const hash = createHash('sha256')
  let rows = 0
  for await (const text of texts) {
    hash.update(`${text.length}:`).update(text)
    rows++
  }
  return { digest: hash.digest('hex'), rows }
}

async function* skipped(texts: AsyncIterable<string> | Iterable<string>, count: number) {
  let seen = 0
  for await (const text of texts) if (seen++ >= count) yield text
}

/** Where one ends depends on the texts alone, so that a resumed run makes the same ones. */
async function* batches(texts: AsyncIterable<string>): AsyncGenerator<string[]> {
  let batch: string[] = []
  let chars = 0
  for await (const text of texts) {
    batch.push(text)
    chars += text.length
    if (batch.length < mostTexts && chars < mostChars) continue
    yield batch
    batch = []
    chars = 0
  }
  if (batch.length > 0) yield batch
}
