import type { Embedder, Reranker } from '../../index.ts'
import type { Prompts } from '../prompts.ts'
import type { Remarks } from '../read/remarks.ts'
import type { Evidence, Histogram } from '../report/report.ts'
import type { Estimate } from '../statistics/bootstrap.ts'
import type { Encoding, Matrix } from '../vectors/matrix.ts'
import { loadVectors, type Prompt, storeVectors, type VectorFile } from '../vectors/store.ts'

/** How far a run is: which step, and how much of it. */
export interface EvalProgress {
  step: 'documents' | 'queries' | 'texts' | 'search' | 'rerank' | 'arithmetic'
  done: number
  total: number
}

export interface Setting {
  dimensions: number
  encoding: Encoding
}

/** What every kind of task works with. */
export interface Context {
  embedder: Embedder
  reranker: Reranker | undefined
  prompts: Prompts
  settings: readonly Setting[]
  metrics: readonly string[] | undefined
  top: number
  ignoreIdentical: boolean
  maxChars: number
  protocol: 'mteb-1' | 'mteb-2'
  algorithm: 'mini-batch' | 'lloyd'
  folder: string
  pooling: 'last' | 'mean' | 'cls' | undefined
  remarks: Remarks
  signal: AbortSignal | undefined
  onProgress: ((progress: EvalProgress) => void) | undefined
}

/** What one setting came to. */
export interface Result {
  setting: Setting
  /** Of the reranked order. */
  isReranked: boolean
  main: string
  metrics: Record<string, Estimate>
  values: Record<string, number[]>
  evidence: Evidence
  histogram: Histogram | null
  /** Of retrieval: by query, documents with their scores, best first. */
  run?: Map<string, (readonly [string, number])[]>
}

export interface TaskOutcome {
  items: string[]
  results: Result[]
  counts: Record<string, number>
}

/** Vectors of texts, from the cache where they are there. */
export async function vectorsOf(
  context: Context,
  texts: () => AsyncIterable<string> | Iterable<string>,
  prompt: Prompt,
  step: EvalProgress['step'],
): Promise<VectorFile> {
  const { embedder, folder, pooling, signal, onProgress, remarks } = context
  const file = await storeVectors(embedder, texts, {
    folder,
    prompt,
    pooling,
    signal,
    onProgress: (done, total) => onProgress?.({ step, done, total }),
  })
  if (file.cutTexts > 0) {
    remarks.add(
      'cut-text',
      `texts were longer than the model takes (${embedder.maxTokens} tokens) and lost their ends`,
      step,
      file.cutTexts,
    )
  }
  return file
}

export async function matrixOf(
  context: Context,
  texts: readonly string[],
  prompt: Prompt,
): Promise<Matrix> {
  return loadVectors(await vectorsOf(context, () => texts, prompt, 'texts'))
}

/** The first so many characters, never half of one. */
export function shortened(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text
  const unit = text.charCodeAt(maxChars - 1)
  return text.slice(0, unit >= 0xd800 && unit < 0xdc00 ? maxChars - 1 : maxChars)
}
