export { type EmbeddedText, Embedder, similarity } from './embedder.ts'
export {
  fromBase64,
  hamming,
  type NearVector,
  type Precision,
  type Quantised,
  quantise,
  type Ranges,
  rangesOf,
  rescore,
  searchBinary,
  toBase64,
  unitRanges,
} from './encodings.ts'
export { Qwen3Error, type Qwen3ErrorCode } from './errors.ts'
export type { FileInfo, Finding, ModelInfo, Stats } from './info.ts'
export { inspect } from './inspect.ts'
export { type ListedModel, listModels } from './models/list.ts'
export {
  pullModel,
  type ResolvedModel,
  type ResolveOptions,
  resolveModel,
} from './models/resolve.ts'
export { type VerifiedFile, verifyFiles } from './models/verify.ts'
export type {
  CallOptions,
  EmbedOptions,
  LoadOptions,
  Pooling,
  RankOptions,
  TokenOptions,
  TopOptions,
  Truncate,
} from './options.ts'
export { defaultInstruction } from './prompts.ts'
export { type RankedDocument, Reranker, type ScoredPair } from './reranker.ts'
