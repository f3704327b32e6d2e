export { type Chunk, type ChunkOptions, chunk, type TokenCounter } from './chunk.ts'
export { type EmbeddedText, Embedder, similarity } from './embedder.ts'
export {
  fromBase64,
  hamming,
  type FoundVector,
  type NearVector,
  type Precision,
  type Quantized,
  quantize,
  type Ranges,
  rangesOf,
  rescore,
  search,
  searchBinary,
  toBase64,
  unitRanges,
} from './encodings.ts'
export { type Facts, Qwen3Error, type Qwen3ErrorCode, type Qwen3ErrorOptions } from './errors.ts'
export type { Template } from './families.ts'
export type { FileInfo, Finding, LoadedAdapter, ModelInfo, Stats } from './info.ts'
export { inspect } from './inspect.ts'
export { type KnownModel, knownModels } from './models/catalog.ts'
export { type ListedModel, listModels } from './models/list.ts'
export type { PlaceOptions } from './models/places.ts'
export { type RemovedModel, removeModel } from './models/remove.ts'
export {
  pullModel,
  type ResolvedModel,
  type ResolveOptions,
  resolveModel,
} from './models/resolve.ts'
export type { Transfer } from './models/retry.ts'
export { type VerifiedFile, type VerifyOptions, verifyFiles } from './models/verify.ts'
export type {
  AdapterOptions,
  CallOptions,
  DownloadOptions,
  EmbedOptions,
  IsolationOptions,
  LoadOptions,
  Pooling,
  RankOptions,
  ReloadOptions,
  Role,
  TextOrIds,
  TokenOptions,
  TopOptions,
  Truncate,
} from './options.ts'
export { createPool, type Pool, type PoolOptions } from './pool.ts'
export type { OnProgress, Phase, Progress, Retry } from './progress.ts'
export { defaultInstruction } from './prompts.ts'
export { type Pair, type RankedDocument, Reranker, type ScoredPair } from './reranker.ts'
