// What the AI SDK asks of a provider, as far as this one goes. Spelled out, because its versions differ by little and
// `ai` 6 and 7 each bring their own; tests hold it against the real interfaces of both.
import type { Embedder, LoadOptions, Reranker, Truncate } from '../index.ts'
import type { Given } from './model.ts'

/** `v3` runs in `ai` 6 and 7, `v4` in 7 alone. */
export type SpecificationVersion = 'v3' | 'v4'

export interface Qwen3Settings<V extends SpecificationVersion = 'v3'> {
  load?: LoadOptions | undefined
  /** @default 'v3' */
  specificationVersion?: V | undefined
}

/** Of a model, or of one call as `providerOptions: { qwen3: { … } }`. */
export type Qwen3EmbeddingOptions = {
  /** Only a query goes with its instruction. @default 'query' where an instruction is given, else 'document' */
  inputType?: 'query' | 'document' | undefined
  /** What queries are for. @default Qwen's web search sentence */
  instruction?: string | undefined
  dimensions?: number | undefined
  truncate?: Truncate | undefined
}

export type Qwen3RerankingOptions = { instruction?: string; truncate?: Truncate }

export type Warning =
  | { type: 'other'; message: string }
  | { type: 'compatibility'; feature: string; details: string }

interface Call {
  abortSignal?: AbortSignal | undefined
  providerOptions?: Record<string, object | undefined> | undefined
}

export interface EmbedCall extends Call {
  values: string[]
  /** Since v4; `ai` 7 gives it to v3 models too. */
  dimensions?: number | undefined
}

export interface Embedded {
  embeddings: number[][]
  usage: { tokens: number }
  providerMetadata: { qwen3: { fingerprint: string } }
  warnings: Warning[]
}

export interface RerankCall extends Call {
  documents: { type: 'text'; values: string[] } | { type: 'object'; values: object[] }
  query: string
  topN?: number | undefined
}

export interface Reranked {
  ranking: { index: number; relevanceScore: number }[]
  providerMetadata: { qwen3: { fingerprint: string } }
  warnings: Warning[]
}

interface Identity<V> {
  readonly specificationVersion: V
  readonly provider: string
  readonly modelId: string
}

export interface Qwen3EmbeddingModel<V extends SpecificationVersion = 'v3'> extends Identity<V> {
  readonly maxEmbeddingsPerCall: number
  readonly supportsParallelCalls: boolean
  doEmbed(call: EmbedCall): Promise<Embedded>
}

export interface Qwen3RerankingModel<V extends SpecificationVersion = 'v3'> extends Identity<V> {
  doRerank(call: RerankCall): Promise<Reranked>
}

export interface Qwen3Provider<V extends SpecificationVersion = 'v3'> {
  readonly specificationVersion: V
  embeddingModel(model: Given<Embedder>, options?: Qwen3EmbeddingOptions): Qwen3EmbeddingModel<V>
  rerankingModel(model: Given<Reranker>, options?: Qwen3RerankingOptions): Qwen3RerankingModel<V>
  languageModel(modelId: string): never
  imageModel(modelId: string): never
  /** Frees the models given by name. */
  close(): Promise<void>
}
