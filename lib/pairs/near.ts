// Which texts of a corpus are nearest to queries: exactly, with vectors kept on disk, off the JS thread.
import { cacheFolder } from '../eval/places.ts'
import { search } from '../eval/vectors/compute.ts'
import { encode, type Matrix } from '../eval/vectors/matrix.ts'
import { loadVectors, storeVectors, type VectorFile } from '../eval/vectors/store.ts'
import type { Embedder, OnProgress } from '../index.ts'

export interface NearOptions {
  instruction: string
  cacheDir?: string | undefined
  signal?: AbortSignal | undefined
  onProgress?: OnProgress | undefined
}

export interface Corpus {
  file: VectorFile
  /** (texts × width), shared with other threads. */
  vectors: Matrix
}

export async function corpusOf(
  embedder: Embedder,
  texts: readonly string[],
  options: NearOptions,
): Promise<Corpus> {
  const prompt = { instruction: '', prefix: '', role: 'document' as const }
  const file = await storeVectors(embedder, () => texts, stored('documents', prompt, options))
  return { file, vectors: await loadVectors(file) }
}

export async function queriesOf(
  embedder: Embedder,
  texts: readonly string[],
  options: NearOptions,
): Promise<Matrix> {
  const prompt = { instruction: options.instruction, prefix: '', role: 'query' as const }
  return loadVectors(await storeVectors(embedder, () => texts, stored('queries', prompt, options)))
}

/** The `top` rows of the corpus for each query, best first; of equal scores the earlier. (queries × top), −1 for none. */
export async function nearest(
  { file }: Corpus,
  queries: Matrix,
  top: number,
  { signal, onProgress }: NearOptions,
): Promise<{ rows: Int32Array; scores: Float32Array }> {
  return search(
    {
      path: file.path,
      width: file.width,
      order: Int32Array.from({ length: file.rows }, (_, i) => i),
      dimensions: file.width,
      encoding: 'float32',
      queries: encode(queries, queries.width, 'float32'),
      top,
    },
    { signal, onProgress: told('search', 'blocks', onProgress) },
  )
}

/** Cosine of two rows of unit length. */
export function cosine(a: Matrix, i: number, b: Matrix, j: number): number {
  let sum = 0
  for (let k = 0; k < a.width; k++) sum += a.values[i * a.width + k]! * b.values[j * b.width + k]!
  return sum
}

function stored(
  phase: string,
  prompt: { instruction: string; prefix: string; role: 'query' | 'document' },
  { cacheDir, signal, onProgress }: NearOptions,
) {
  return {
    folder: cacheDir ?? cacheFolder('eval'),
    prompt,
    signal,
    onProgress: told(phase, 'texts', onProgress),
  }
}

const told = (phase: string, unit: string, report: OnProgress | undefined) =>
  report &&
  ((done: number, total: number) => report({ phase, unit, done, total, rate: 0, eta: undefined }))
