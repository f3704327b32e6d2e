import { createHash } from 'node:crypto'
import { Embedder, type LoadOptions, type ModelInfo, Reranker } from '../index.ts'
import { readMetric } from './metrics/retrieval.ts'
import { checkKeys, expected } from './misuse.ts'
import { cacheFolder } from './places.ts'
import { baselineOf } from './plan/baselines.ts'
import { identicalIgnored } from './plan/instructions.ts'
import { promptsFor } from './prompts.ts'
import { type Data, type Kind, kinds } from './read/dataset.ts'
import { openDataset } from './read/open.ts'
import { Remarks } from './read/remarks.ts'
import type { Report, System } from './report/report.ts'
import type { Context, EvalProgress, Result, TaskOutcome } from './tasks/context.ts'
import { classify, clusterTexts, judgeSummaries, rerankCandidates } from './tasks/groups.ts'
import { judgePairs } from './tasks/pairs.ts'
import { followInstructions, type Ranked, retrieve } from './tasks/retrieval.ts'
import { type Encoding, encodings } from './vectors/matrix.ts'

export interface EvaluateOptions {
  /** A name or path for `Embedder.load`, the name of a baseline, or a loaded embedder, which stays open. */
  model: string | Embedder
  /** A folder or file, or the name of a collection. */
  dataset: string
  /** An adapter for the model. */
  adapter?: string
  /** A second stage that orders the best anew. */
  reranker?: string | Reranker
  /** How many the second stage sees. @default 100 */
  top?: number
  /** Leading dimensions to keep; several are judged side by side. @default all */
  dimensions?: number | readonly number[]
  /** How documents are kept; several are judged side by side. @default 'float32' */
  encoding?: Encoding | readonly Encoding[]
  /** What the queries are for. @default that of `task`, else Qwen's web search sentence for retrieval, else none */
  instruction?: string
  /** The task's name in MTEB: its instruction and Qwen's rules for it. */
  task?: string
  /** What the data is for, where its columns do not say. */
  kind?: Kind
  /** @default the only one, else `test` */
  split?: string
  /** Of retrieval; the first is the one that is compared. */
  metrics?: readonly string[]
  /** Documents and texts are cut to so many characters. @default none is */
  maxChars?: number
  /** Drop the document whose id is the query's. @default as mteb does for `task` */
  ignoreIdentical?: boolean
  /** How lists of candidates are scored. @default 'mteb-1', which the paper used */
  protocol?: 'mteb-1' | 'mteb-2'
  /** Of clustering. @default 'mini-batch', as mteb */
  algorithm?: 'mini-batch' | 'lloyd'
  /** Where vectors are kept. @default `QWEN3_EMBED_CACHE`, else below the user's cache folder */
  cacheDir?: string
  /** Options for loading both models. */
  load?: LoadOptions
  signal?: AbortSignal
  onProgress?: (progress: EvalProgress) => void
  /** Given each run of retrieval as it is there: to write it in TREC's form. */
  onRun?: (label: string, run: Ranked) => void
}

const known = [
  'model',
  'dataset',
  'adapter',
  'reranker',
  'top',
  'dimensions',
  'encoding',
  'instruction',
  'task',
  'kind',
  'split',
  'metrics',
  'maxChars',
  'ignoreIdentical',
  'protocol',
  'algorithm',
  'cacheDir',
  'load',
  'signal',
  'onProgress',
  'onRun',
] as const

/**
 * Judges a model on a data set. Vectors of documents are kept on disk, so that another setting, or the same command
 * after a kill, does not compute them again; the same inputs give the same report.
 *
 * @throws Qwen3Error `ERR_DATASET` for data that is missing, damaged or contradicts itself, and as `Embedder.load`;
 * `TypeError` and `RangeError` for wrong options; the signal's reason when aborted.
 */
export async function evaluate(options: EvaluateOptions): Promise<Report> {
  checkOptions(options)
  const { signal, adapter } = options
  const remarks = new Remarks()
  const { name, split, data } = await openDataset(options.dataset, options, remarks)
  const closing: { close(): Promise<void> }[] = []
  try {
    const baseline = typeof options.model === 'string' ? baselineOf(options.model) : undefined
    const load = { ...options.load, ...(signal ? { signal } : {}) }
    const embedder = await loaded(
      Embedder,
      baseline?.source ?? options.model,
      adapter ? ({ ...load, adapter } as LoadOptions) : load,
      closing,
    )
    const second = options.reranker
    const source = typeof second === 'string' ? (baselineOf(second)?.source ?? second) : second
    const reranker =
      source === undefined ? undefined : await loaded(Reranker, source, load, closing)
    const isQwen3 = embedder.info.architecture === 'qwen3'
    const prompts = promptsFor(
      data.kind,
      {
        task: options.task,
        instruction: options.instruction,
        documentPrefix: undefined,
        isQwen3,
        baseline,
      },
      remarks,
    )
    const dimensions = listOf(options.dimensions ?? embedder.dimensions)
    for (const one of dimensions) checkDimensions(one, embedder.dimensions)
    const context: Context = {
      embedder,
      reranker,
      prompts,
      settings: dimensions.flatMap((one) =>
        listOf(options.encoding ?? 'float32').map((encoding) => ({ dimensions: one, encoding })),
      ),
      metrics: options.metrics,
      top: options.top ?? 100,
      ignoreIdentical: options.ignoreIdentical ?? identicalIgnored(options.task),
      maxChars: options.maxChars ?? Number.POSITIVE_INFINITY,
      protocol: options.protocol ?? 'mteb-1',
      algorithm: options.algorithm ?? 'mini-batch',
      folder: options.cacheDir ?? cacheFolder('eval'),
      pooling: baseline && baseline.pooling !== 'rank' ? baseline.pooling : undefined,
      adapter,
      remarks,
      signal,
      onProgress: options.onProgress,
    }
    const outcome = await judge(data, context)
    const systems = outcome.results.map((result) => systemOf(result, context, options))
    for (const [i, { run }] of outcome.results.entries())
      if (run) options.onRun?.(systems[i]!.label, run)
    return {
      version: 1,
      dataset: {
        name,
        task: options.task ?? null,
        kind: data.kind,
        split,
        digest: digestOf(data),
        counts: outcome.counts,
      },
      items: outcome.items,
      systems,
      remarks: remarks.list(),
    }
  } finally {
    await Promise.all(closing.map((model) => model.close()))
  }
}

function judge(data: Data, context: Context): Promise<TaskOutcome> {
  switch (data.kind) {
    case 'retrieval':
      return retrieve(data, context)
    case 'instructions':
      return followInstructions(data, context)
    case 'sts':
    case 'pairs':
    case 'bitext':
      return judgePairs(data, context)
    case 'reranking':
      return rerankCandidates(data, context)
    case 'classification':
      return classify(data, context)
    case 'clustering':
      return clusterTexts(data, context)
    case 'summarisation':
      return judgeSummaries(data, context)
  }
}

function systemOf(result: Result, context: Context, options: EvaluateOptions): System {
  const { run: _, setting, isReranked, ...rest } = result
  const { embedder, reranker, prompts, top } = context
  const model = { name: nameOf(options.model, embedder.info), ...factsOf(embedder.info) }
  const second = isReranked
    ? { name: nameOf(options.reranker!, reranker!.info), ...factsOf(reranker!.info), top }
    : null
  const label = [
    model.name + (options.adapter ? ` + ${options.adapter}` : ''),
    `${setting.dimensions}`,
    ...(setting.encoding === 'float32' ? [] : [setting.encoding]),
    ...(second ? [`${second.name}@${top}`] : []),
  ].join(' · ')
  return {
    label,
    model,
    adapter: options.adapter ?? null,
    reranker: second,
    instruction: prompts.instruction,
    ...setting,
    ...rest,
  }
}

function factsOf({ fingerprint, quantisation, architecture }: ModelInfo) {
  return { fingerprint, quantisation, architecture }
}

function nameOf(given: string | { info: ModelInfo }, info: ModelInfo): string {
  if (typeof given !== 'string') return info.bundled ? 'mini' : info.name
  return given
    .split(/[\\/]/)
    .at(-1)!
    .replace(/\.gguf$/i, '')
}

async function loaded<Model extends { close(): Promise<void> }>(
  kind: { load(name: string, options: LoadOptions): Promise<Model> },
  given: string | Model,
  options: LoadOptions,
  closing: { close(): Promise<void> }[],
): Promise<Model> {
  if (typeof given !== 'string') return given
  const model = await kind.load(given, options)
  closing.push(model)
  return model
}

/** Of what decides the comparison: the questions and what is right. */
function digestOf(data: Data): string {
  const judged =
    'qrels' in data
      ? [data.queries, [...data.qrels].map(([query, grades]) => [query, [...grades]])]
      : data
  return createHash('sha256').update(JSON.stringify(judged)).digest('hex').slice(0, 16)
}

function checkOptions(options: EvaluateOptions): void {
  checkKeys(options, known)
  if (typeof options.dataset !== 'string')
    throw new TypeError(expected('a string', 'dataset', options.dataset))
  for (const metric of options.metrics ?? []) readMetric(metric)
  for (const encoding of listOf(options.encoding ?? 'float32')) {
    if (!encodings.includes(encoding))
      throw new RangeError(expected(encodings.join(', '), 'encoding', encoding))
  }
  if (options.kind !== undefined && !kinds.includes(options.kind)) {
    throw new RangeError(expected(kinds.join(', '), 'kind', options.kind))
  }
  for (const name of ['top', 'maxChars'] as const) {
    const value = options[name]
    if (value !== undefined && !(Number.isInteger(value) && value >= 1)) {
      throw new RangeError(expected('an integer of at least 1', name, value))
    }
  }
}

function checkDimensions(value: number, width: number): void {
  if (!Number.isInteger(value) || value < Math.min(32, width) || value > width) {
    throw new RangeError(
      expected(`an integer from ${Math.min(32, width)} to ${width}`, 'dimensions', value),
    )
  }
}

function listOf<T extends string | number>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? value : [value as T]
}
