// The typed mirror of native/addon, and call(), which turns native failures into Qwen3Error.
// Everything that crosses is already checked: the addon trusts and asserts.
import { loadBinding } from './binding.ts'
import { type Facts, Qwen3Error, type Qwen3ErrorCode } from './errors.ts'

export interface NativeFinding {
  fatal: boolean
  what: string
  remedy: string
}

export interface NativeFacts {
  architecture: string
  name: string
  quantisation: string
  tokenizer: string
  fingerprint: string
  bytes: number
  parameters: number
  layers: number
  width: number
  heads: number
  kvHeads: number
  headSize: number
  feedForward: number
  vocabulary: number
  trainedTokens: number
  pooling: 'none' | 'mean' | 'cls' | 'last' | 'rank' | null
  head: 'none' | 'cls' | 'yes-no'
  isQwen3: boolean
  /** Types of the tensors by what they do: `{ attention: ['q8_0'], norms: ['f32'], … }`. */
  tensorTypes: Record<string, string[]>
  /** Names of the prompt templates in the file; this package uses its own, whatever they say. */
  chatTemplates: string[]
  findings: NativeFinding[]
}

/** An adapter as it was loaded. */
export interface NativeAdapter {
  path: string
  fingerprint: string
  scale: number
  rank: number
  side: 'query' | 'both'
}

export interface NativeModelFacts extends NativeFacts {
  queryFingerprint: string
  adapters: NativeAdapter[]
  engine: 'packed' | 'generic'
  device: string
  kernels: string
  gpuWeights: 'file' | 'bf16' | 'f16'
  maxTokens: number
  budget: number
  rowWidth: number
  threads: number
  threadsReason: string
}

export interface NativeLoadOptions {
  path: string
  kind: 'embed' | 'rank'
  engine: string
  kernels: string
  threads: number
  maxTokens: number
  budget: number
  maxQueue: number
  prefixCache: number
  gpu: string
  gpuLibrary: string
  gpuWeights: string
  lockMemory: boolean
  /** side: '' takes what the file says. */
  adapters: { path: string; scale: number; side: string; anyBase: boolean }[]
}

export interface NativeStats {
  /** Passes run. */
  packs: number
  /** Tokens of all texts. */
  tokens: number
  /** Tokens that went through the layers: fewer, where texts share prefixes or earlier passes kept them. */
  tokensRun: number
  /** Tokens of prefixes whose keys and values were kept from earlier passes. */
  tokensKept: number
  /** Bytes that kept prefixes take now. */
  keptBytes: number
  /** Wall time of passes in milliseconds, by stage where the engine tells stages apart. */
  productsMs: number
  attentionMs: number
  restMs: number
  /** Texts that wait or run now. */
  waiting: number
}

export interface NativeModel {
  load(
    options: NativeLoadOptions,
    libraries: string,
    onProgress: ((fraction: number) => void) | undefined,
  ): Promise<NativeModelFacts>
  abort(): void
  close(): Promise<void>
  stats(): NativeStats
}

export interface NativeJobOptions {
  task: 'embed' | 'rank'
  onlyTokens: boolean
  onlyText: boolean
  pooling: string
  interactive: boolean
  truncate: boolean
  failFast: boolean
  normalize: boolean
  areQueries: boolean
  probability: boolean
  dimensions: number
  prefix: string
  suffix: string
}

export interface NativeReport {
  failures: Error[]
  tokenRows: Float32Array[]
  ids: Int32Array[]
  texts: string[]
}

export interface NativeJob {
  add(head: string, bodies: (string | Int32Array)[]): void
  run(
    vectors: Float32Array | null,
    scores: Float64Array | null,
    tokens: Int32Array,
    cut: Int32Array,
    onProgress: ((done: number) => void) | undefined,
  ): Promise<NativeReport>
  abort(): void
}

export interface NativeTrainerOptions {
  path: string
  threads: number
  /** Rows of a pack: part of a training's identity, since it enters the bits. */
  budget: number
  ranks: boolean
  exact: boolean
  rank: number
  alpha: number
  seed: number
  /** The last so many; 0: all. */
  layers: number
  /** Of q, k, v, out, gate, up, down: 1 where trained. */
  targets: Uint8Array
  temperature: number
  margin: number
  dims: Int32Array
  queryTerms: boolean
  pairTerms: boolean
  decay: number
  mostNorm: number
}

export interface NativeStep {
  loss: number
  /** Of the gradient, before it is clipped. */
  norm: number
  /** That went through the layers. */
  rows: number
}

/** A training: one call at a time. */
export interface NativeTrainer {
  load(
    options: NativeTrainerOptions,
    libraries: string,
  ): Promise<{ parameters: number; fingerprint: string }>
  /** All texts' ids one after another, and where each text ends. */
  setTexts(ids: Int32Array, ends: Int32Array): void
  /** (texts × width), and 1 for the texts whose row stays as it is there. */
  setRows(rows: Float32Array, given: Uint8Array): void
  /** Documents by three: text, example (-1: of the bank), 1 for its positive, which comes first. */
  step(queries: Int32Array, documents: Int32Array, rate: number): Promise<NativeStep>
  stepPairs(prompts: Int32Array, labels: Uint8Array, rate: number): Promise<NativeStep>
  writeAdapter(path: string, facts: [key: string, value: string][]): Promise<void>
  writeState(path: string, words: string): Promise<void>
  /** Of a state of any training. */
  stateWords(path: string): Promise<string>
  readState(path: string): Promise<string>
  abort(): void
  close(): void
}

/** What a statement takes and a row holds. */
export type NativeValue = number | string | Uint8Array | null

/** A SQLite file, for the thread that opened it. Every call returns when it is done. */
export interface NativeDatabase {
  execute(statements: string): void
  rows(statement: string, values: readonly NativeValue[]): NativeValue[][]
  lastRow(): number
  scoreWords(
    expression: string,
    lengths: Float32Array,
    mean: number,
    chunks: number,
    scores: Float32Array,
  ): void
  close(): void
}

export interface NativeMergeOptions {
  method: string
  models: string[]
  weights: number[]
  adapters: { path: string; scale: number; anyBase: boolean }[]
  points: { filter: string; values: number[] }[]
  lambda: number
  density: number
  /** 'same', or a ggml type's name. */
  to: string
  lossy: boolean
  output: string
}

export interface NativeMergeReport {
  tensors: number
  /** Of slerp: taken along the line, being nearly parallel. */
  straight: number
  /** Matrices that differ from the first model's. */
  changed: number
  /** Share of the change that quantising keeps, of the tensor that keeps least and in the mean. */
  leastKept: number
  meanKept: number
  leastTensor: string
}

export interface NativeMerger {
  run(options: NativeMergeOptions, libraries: string): Promise<NativeMergeReport>
  /** 0 to 1. */
  done(): number
  abort(): void
}

export interface NativeGeneratorOptions {
  path: string
  /** 0: as many as suit the machine. */
  threads: number
  /** Answers that grow at a time, 1 to 16: the rows of every step, whoever needs them. */
  sequences: number
  /** Of a prompt with its answer; 0: the default. */
  maxTokens: number
}

export interface NativeAnswer {
  text: string
  /** The grammar's end was reached; else the answer was cut. */
  complete: boolean
  promptTokens: number
  tokens: number
  /** Of the logits behind its tokens: equal where they are equal to the bit. */
  digest: number
}

/** A chat model that answers under grammars, on a thread of its own. */
export interface NativeGenerator {
  load(
    options: NativeGeneratorOptions,
    libraries: string,
  ): Promise<{ fingerprint: string; name: string; maxTokens: number; threads: number }>
  /** `grammar`: GBNF. Any number at once; they are begun in turn. */
  ask(
    system: string,
    user: string,
    grammar: string,
    mostTokens: number,
    seed: number,
  ): Promise<NativeAnswer>
  /** Ends the load, and everything asked so far. */
  abort(): void
  close(): Promise<void>
}

interface Binding {
  Generator: new () => NativeGenerator
  Merger: new () => NativeMerger
  Trainer: new () => NativeTrainer
  Database: new (path: string, access: 'read' | 'write' | 'create') => NativeDatabase
  scan(
    codes: Int8Array,
    scales: Float32Array,
    width: number,
    query: Int8Array,
    queryScale: number,
    cosines: Float32Array,
  ): void
  Model: new () => NativeModel
  Job: new (model: NativeModel, options: NativeJobOptions) => NativeJob
  inspect(path: string): Promise<NativeFacts>
  /** Linux: the kernel ends this process with the one that started it, even where it hangs. Elsewhere nothing. */
  endWithParent(): void
  codes(): string[]
}

let loaded: { binding: Binding; libraries: string } | undefined

/** The addon and the folder of the shared libraries beside it. */
export function native(): { binding: Binding; libraries: string } {
  loaded ??= loadBinding() as { binding: Binding; libraries: string }
  return loaded
}

/**
 * Awaits a call into the addon. A native failure carries no JS stack, so it is thrown again from here, with the
 * native one as `cause`.
 */
export async function call<T>(pending: Promise<T>): Promise<T> {
  try {
    return await pending
  } catch (error) {
    throw wrap(error)
  }
}

/** A failure as the addon throws it: an Error of its own realm, not always of this one. */
interface NativeError {
  readonly message: string
  readonly code: Qwen3ErrorCode
  readonly facts: Facts
  readonly remedy?: string
}

export function wrap(error: unknown): unknown {
  if (!isNative(error)) return error
  const { code, facts } = error
  const subject = facts.index === undefined ? undefined : `Text ${facts.index}`
  const whole =
    subject && error.message.startsWith(`${subject}: `)
      ? error.message.slice(subject.length + 2)
      : error.message
  return new Qwen3Error(code, whole.replace(/\.$/, ''), facts, {
    remedy: error.remedy,
    subject,
    cause: error,
  })
}

function isNative(error: unknown): error is NativeError {
  if (typeof error !== 'object' || error === null || error instanceof Qwen3Error) return false
  return 'facts' in error && 'code' in error && 'message' in error
}
