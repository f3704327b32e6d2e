// The typed mirror of native/addon, its loader, and call(), which turns native failures into Qwen3Error.
// Everything that crosses is already checked: the addon trusts and asserts.
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { unpacked } from './asar.ts'
import { type Facts, Qwen3Error, type Qwen3ErrorCode } from './errors.ts'
import { isBundled, root } from './root.ts'

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

export interface NativeModelFacts extends NativeFacts {
  engine: 'packed' | 'generic'
  device: string
  kernels: string
  maxTokens: number
  budget: number
  rowWidth: number
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

interface Binding {
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
  codes(): string[]
}

let loaded: { binding: Binding; libraries: string } | undefined

/** The addon and the folder of the shared libraries beside it. */
export function native(): { binding: Binding; libraries: string } {
  loaded ??= load()
  return loaded
}

function load(): { binding: Binding; libraries: string } {
  const require = createRequire(join(root, 'package.json'))
  try {
    const path = unpacked((require('node-gyp-build') as { path(dir: string): string }).path(root))
    return { binding: require(path) as Binding, libraries: dirname(path) }
  } catch (cause) {
    const { platform, arch } = process
    throw new Qwen3Error(
      'ERR_NO_BINDING',
      `No native build of qwen3-embed could be loaded for ${platform}-${arch}. Looked in ${join(root, 'prebuilds')} ` +
        `and ${join(root, 'build', 'Release')}. The loader said: ${(cause as Error).message}`,
      { platform, arch, bundled: isBundled ? 'yes' : 'no' },
      { remedy: isBundled ? bundledRemedy : installRemedy, cause },
    )
  }
}

const bundledRemedy =
  'This code was bundled, and a native addon cannot be: leave qwen3-embed out of the bundle (esbuild: --external:' +
  "qwen3-embed; webpack: externals; Vite: ssr.external; Next: serverExternalPackages: ['qwen3-embed']) and install it " +
  'where the bundle runs'
const installRemedy =
  'Reinstall qwen3-embed on this machine (not copied from another system), or build it with ' +
  '`npm install cmake-js node-addon-api node-api-headers && npm rebuild qwen3-embed`, which needs g++ and cmake'

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
