import { createHash } from 'node:crypto'
import { Embedder, type LoadOptions, type ModelInfo, Reranker } from '../index.ts'
import { checkDimensions, checkOptions, type EvaluateOptions, listOf } from './options.ts'
import { cacheFolder } from './places.ts'
import { baselineOf } from './plan/baselines.ts'
import { identicalIgnored } from './plan/instructions.ts'
import { promptsFor } from './prompts.ts'
import type { Data } from './read/dataset.ts'
import { openDataset } from './read/open.ts'
import { Remarks } from './read/remarks.ts'
import type { Report, System } from './report/report.ts'
import { rerankCandidates } from './tasks/candidates.ts'
import { classify } from './tasks/classification.ts'
import { clusterTexts } from './tasks/clustering.ts'
import type { Context, Result, TaskOutcome } from './tasks/context.ts'
import { judgePairs } from './tasks/pairs.ts'
import { followInstructions, retrieve } from './tasks/retrieval.ts'
import { judgeSummaries } from './tasks/summaries.ts'

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
      adapter === undefined ? load : { ...load, adapter },
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
  const adapters = embedder.info.adapters.map(({ path, scale }) =>
    scale === 1 ? path : `${path}@${scale}`,
  )
  const label = [
    [model.name, ...adapters].join(' + '),
    `${setting.dimensions}`,
    ...(setting.encoding === 'float32' ? [] : [setting.encoding]),
    ...(second ? [`${second.name}@${top}`] : []),
  ].join(' · ')
  return {
    label,
    model,
    adapter: adapters.length > 0 ? adapters.join(' + ') : null,
    reranker: second,
    instruction: prompts.instruction,
    ...setting,
    ...rest,
  }
}

function factsOf({ fingerprint, quantization, architecture }: ModelInfo) {
  return { fingerprint, quantization, architecture }
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
