import { Embedder, Reranker } from '../index.ts'
import { refuseUnknown } from '../errors.ts'
import type {
  EmbedCall,
  Embedded,
  Qwen3EmbeddingOptions,
  Qwen3Provider,
  Qwen3RerankingOptions,
  Qwen3Settings,
  RerankCall,
  Reranked,
  SpecificationVersion,
  Warning,
} from './ai-spec.ts'
import { type Given, LazyModels } from './model.ts'

export type * from './ai-spec.ts'

/** A provider for the AI SDK. Models are named as `Embedder.load` names them, or given loaded. */
export function createQwen3<V extends SpecificationVersion = 'v3'>(
  settings: Qwen3Settings<V> = {},
): Qwen3Provider<V> {
  const { load } = settings
  const specificationVersion = settings.specificationVersion ?? ('v3' as V)
  const embedders = new LazyModels<Embedder>(Embedder)
  const rerankers = new LazyModels<Reranker>(Reranker)
  return {
    specificationVersion,
    embeddingModel: (given, defaults = {}) => ({
      specificationVersion,
      provider: 'qwen3.embedding',
      modelId: idOf(given),
      maxEmbeddingsPerCall: 2_048,
      // Calls at the same time would wait for one another.
      supportsParallelCalls: false,
      doEmbed: async (call) => embed(await embedders.of(given, load).get(), call, defaults),
    }),
    rerankingModel: (given, defaults = {}) => ({
      specificationVersion,
      provider: 'qwen3.reranking',
      modelId: idOf(given),
      doRerank: async (call) => rerank(await rerankers.of(given, load).get(), call, defaults),
    }),
    languageModel: (id) => refuse(id, 'languageModel'),
    imageModel: (id) => refuse(id, 'imageModel'),
    close: async () => void (await Promise.all([embedders.close(), rerankers.close()])),
  }
}

/** The provider with its defaults. */
export const qwen3 = createQwen3()

async function embed(
  model: Embedder,
  { values, dimensions, abortSignal, providerOptions }: EmbedCall,
  defaults: Qwen3EmbeddingOptions,
): Promise<Embedded> {
  const asked = { ...defaults, dimensions: dimensions ?? defaults.dimensions }
  const { inputType, instruction, ...options } = merge(asked, providerOptions, embedNames)
  const isQuery = (inputType ?? (instruction === undefined ? 'document' : 'query')) === 'query'
  const texts = await model.embedEach(values, {
    ...options,
    role: isQuery ? 'query' : 'document',
    instruction: isQuery ? instruction : undefined,
    priority: isQuery ? 'interactive' : 'bulk',
    signal: abortSignal,
  })
  return {
    embeddings: whole(texts, ({ vector }) => vector && Array.from(vector)),
    usage: { tokens: texts.reduce((sum, { tokens, cut }) => sum + tokens - cut, 0) },
    ...remarks(model, texts, 'value'),
  }
}

async function rerank(
  model: Reranker,
  { documents, query, topN, abortSignal, providerOptions }: RerankCall,
  defaults: Qwen3RerankingOptions,
): Promise<Reranked> {
  const texts = documents.values.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)))
  const pairs = await model.scoreEach(
    texts.map((text): [string, string] => [query, text]),
    {
      ...merge(defaults, providerOptions, rerankNames),
      signal: abortSignal,
    },
  )
  const ranking = whole(pairs, ({ score }) => score)
    .map((relevanceScore, index) => ({ index, relevanceScore }))
    .sort((a, b) => b.relevanceScore - a.relevanceScore)
  const result = { ranking: ranking.slice(0, topN), ...remarks(model, pairs, 'document') }
  if (documents.type === 'object') {
    const details = 'Objects are ranked by their JSON.'
    result.warnings.unshift({ type: 'compatibility', feature: 'object documents', details })
  }
  return result
}

type Each = { cut: number; error: Error | null }

/** All results, or the first failure. */
function whole<T extends Each, R>(each: T[], result: (one: T) => R | null): R[] {
  return each.map((one) => {
    const found = result(one)
    if (found === null) throw one.error
    return found
  })
}

function remarks(model: Embedder | Reranker, each: Each[], what: string) {
  const warnings: Warning[] = []
  for (const [i, { cut }] of each.entries()) {
    if (cut > 0)
      warnings.push({ type: 'other', message: `${what} ${i} lost its last ${cut} tokens` })
  }
  return { providerMetadata: { qwen3: { fingerprint: model.info.fingerprint } }, warnings }
}

const embedNames = ['inputType', 'instruction', 'dimensions', 'truncate']
const rerankNames = ['instruction', 'truncate']

function merge<T extends object>(
  defaults: T,
  given: EmbedCall['providerOptions'],
  names: string[],
) {
  const own = (given?.qwen3 ?? {}) as T
  refuseUnknown(own, names, 'option of providerOptions.qwen3')
  return { ...defaults, ...own }
}

function idOf(given: Given<Embedder | Reranker>): string {
  return typeof given === 'string' ? given : given.info.name
}

/** The AI SDK knows its errors by this symbol, so that its package need not be loaded here. */
function refuse(modelId: string, modelType: string): never {
  const error = new Error(`No such ${modelType}: ${modelId}`)
  const marks = Object.fromEntries(
    ['', '.AI_NoSuchModelError'].map((name) => [Symbol.for(`vercel.ai.error${name}`), true]),
  )
  throw Object.assign(error, marks, { name: 'AI_NoSuchModelError', modelId, modelType })
}
