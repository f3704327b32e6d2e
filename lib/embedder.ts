/// <reference lib="esnext.disposable" preserve="true" />
import type { Qwen3Error } from './errors.ts'
import { type ModelInfo, poolingOf, type Stats } from './info.ts'
import { inspectModel, LoadedModel } from './model.ts'
import {
  type EmbedOptions,
  type LoadOptions,
  type ReloadOptions,
  type Role,
  readBodies,
  readEmbedOptions,
  readIds,
  readText,
  readTexts,
  readTokenOptions,
  type TextOrIds,
  type TokenOptions,
  readWarmOptions,
} from './options.ts'

interface Counted {
  /** Tokens of the text with its instruction and end token, before any cut. */
  tokens: number
  /** Tokens cut off its end by `truncate: 'end'`. */
  cut: number
}

/** One text of {@link Embedder.embedEach}: its vector, or why there is none. */
export type EmbeddedText = Counted &
  (
    | {
        /** (dimensions), or (tokens × dimensions) with `pooling: 'none'` */
        vector: Float32Array
        error: null
      }
    | { vector: null; error: Qwen3Error }
  )

/**
 * A loaded embedding model.
 *
 * Vectors of one call are views into one buffer, in input order: `slice()` one before transferring it or keeping it
 * for long. Calls made at the same time share passes; nothing runs on the JS thread.
 */
export class Embedder {
  readonly #model: LoadedModel

  private constructor(model: LoadedModel) {
    this.#model = model
  }

  /**
   * Loads a model.
   *
   * @param name `'mini'` (the bundled model), a path to a GGUF file, or a name `resolveModel` knows.
   * @throws Qwen3Error `ERR_MODEL_NOT_FOUND`, `ERR_MODEL_INVALID`, `ERR_MODEL_UNSUPPORTED`, `ERR_MODEL_MISMATCH` (a
   * reranker), `ERR_GPU_UNAVAILABLE`, `ERR_OUT_OF_MEMORY`, `ERR_NO_BINDING`; `TypeError` or `RangeError` for wrong
   * options; the signal's reason when aborted.
   */
  static async load(name: string, options?: LoadOptions): Promise<Embedder> {
    return new Embedder(await LoadedModel.load('embed', name, options))
  }

  /** Width of a full vector. */
  get dimensions(): number {
    return this.#model.facts.rowWidth
  }

  /** Longest text in tokens, its instruction and end token included. */
  get maxTokens(): number {
    return this.#model.facts.maxTokens
  }

  /** Whether its family was trained with instructions; others take none, unless `template` has a place for one. */
  get takesInstruction(): boolean {
    return this.#model.family.instructed !== undefined
  }

  /** Facts of the file and of who computes; `fingerprint` is worth storing beside vectors. */
  get info(): ModelInfo {
    return this.#model.info
  }

  /** What this model has computed so far, and how many texts wait. */
  get stats(): Stats {
    return this.#model.stats()
  }

  /**
   * One query to one unit vector. Qwen3's default instruction goes before it unless `instruction` says otherwise.
   *
   * @returns (dimensions)
   * @throws Qwen3Error `ERR_TEXT_TOO_LONG`, `ERR_CLOSED`, `ERR_QUEUE_FULL`, `ERR_NON_FINITE`, `ERR_COMPUTE`.
   */
  async embedQuery(text: string, options?: EmbedOptions): Promise<Float32Array> {
    const [vector] = await this.embedQueries([readText(text, 'text')], options)
    return vector!
  }

  /** Many queries; see {@link embedQuery}. Results are in input order. */
  async embedQueries(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array[]> {
    return this.#embed(readTexts(texts, 'texts'), options, 'query')
  }

  /** Documents, which Qwen3 embeds as they are and other families behind a prefix. Results are in input order. */
  async embedDocuments(texts: readonly string[], options?: EmbedOptions): Promise<Float32Array[]> {
    return this.#embed(readTexts(texts, 'texts'), options, 'document')
  }

  /**
   * The general form: any instruction (none by default), any pooling. Symmetric tasks such as duplicate detection or
   * clustering want one instruction on both sides. A text may be given as its token ids; the end token is added unless
   * they have it.
   */
  async embed(texts: readonly TextOrIds[], options?: EmbedOptions): Promise<Float32Array[]> {
    return this.#embed(texts, options)
  }

  /** As {@link embed}, but a text that fails is reported in its place and the others go on. */
  async embedEach(texts: readonly TextOrIds[], options?: EmbedOptions): Promise<EmbeddedText[]> {
    const { vectors, outcome } = await this.#run(texts, options, undefined, false)
    return vectors.map((vector, i) => {
      const error = outcome.failures.get(i)
      const counted = { tokens: outcome.tokens[i]!, cut: outcome.cut[i]! }
      return error ? { vector: null, ...counted, error } : { vector, ...counted, error: null }
    })
  }

  /**
   * Tokens of a text, or of each of many, as {@link embed} would run them: with instruction and end token. No limit
   * applies.
   */
  async countTokens(text: string, options?: TokenOptions): Promise<number>
  async countTokens(texts: readonly string[], options?: TokenOptions): Promise<number[]>
  async countTokens(
    given: string | readonly string[],
    options?: TokenOptions,
  ): Promise<number | number[]> {
    if (!Array.isArray(given)) return (await this.tokenize(given as string, options)).length
    return (await this.#tokenize(readTexts(given, 'texts'), options)).map(({ length }) => length)
  }

  /** The ids of a text as {@link embed} would run it: with its instruction and its end token. */
  async tokenize(text: string, options?: TokenOptions): Promise<Int32Array> {
    const [ids] = await this.#tokenize([readText(text, 'text')], options)
    return ids!
  }

  /** The text of token ids, special tokens spelled out. */
  async detokenize(ids: Int32Array | readonly number[]): Promise<string> {
    const groups = [{ head: '', bodies: [readIds(ids, 'ids')] }]
    const job = { ...embedJob, onlyText: true, interactive: true }
    return (await this.#model.run(job, groups, asIs, {}, {})).texts[0]!
  }

  /** Whether it is in memory: not after `unload`, or `idleMs` without a call, until the next one. */
  get isLoaded(): boolean {
    return this.#model.isLoaded
  }

  /** Runs a short and a full pass, so that the first call need not wait for pages and devices. Loads first, if need be. */
  warm(options?: { signal?: AbortSignal }): Promise<void> {
    return this.#model.warm(readWarmOptions(options))
  }

  /** Gives the memory back, after the calls that run. The next call loads the same file again. */
  unload(): Promise<void> {
    return this.#model.unload()
  }

  /**
   * Takes another file, or the same path again, without a pause: it is loaded beside the one in memory, calls made from
   * then on go to it, and those that run end on the one before. `info` tells which it is; both have one `fingerprint`
   * only if they are the same.
   *
   * @param name as for `load`. @default the path it was loaded from
   * @throws Qwen3Error `ERR_MODEL_MISMATCH` if dimensions, family or pooling differ, and what `load` throws. The model
   * stays as it was then.
   */
  reload(name?: string, options?: ReloadOptions): Promise<void> {
    return this.#model.reload(name, options)
  }

  /** Waits for earlier calls, then frees the model. Later calls reject with `ERR_CLOSED`. Safe to call twice. */
  close(): Promise<void> {
    return this.#model.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** What `console.log` shows. */
  [Symbol.for('nodejs.util.inspect.custom')](): object {
    return inspectModel('Embedder', this.#model, { dimensions: this.dimensions })
  }

  async #tokenize(texts: readonly string[], options: unknown): Promise<Int32Array[]> {
    const { instruction, role, signal } = readTokenOptions(options)
    const groups = [{ head: this.#model.prefix(role, instruction), bodies: texts }]
    const job = { ...embedJob, onlyTokens: true, interactive: true }
    return (await this.#model.run(job, groups, asIs, {}, { signal })).ids
  }

  async #embed(texts: unknown, given: unknown, role?: Role): Promise<Float32Array[]> {
    return (await this.#run(texts, given, role, true)).vectors
  }

  async #run(texts: unknown, given: unknown, by: Role | undefined, failFast: boolean) {
    const model = this.#model
    const { role = by, ...options } = readEmbedOptions(given, {
      width: this.dimensions,
      pooling: poolingOf(model.facts.pooling, model.family.pooling),
      priority: by === 'query' ? 'interactive' : 'bulk',
    })
    const bodies = readBodies(texts, 'texts')
    const head = model.prefix(role, options.instruction)
    const width = options.dimensions
    const whole = new Float32Array(options.pooling === 'none' ? 0 : bodies.length * width)
    const job = {
      ...embedJob,
      pooling: options.pooling,
      interactive: options.priority === 'interactive',
      truncate: options.truncate === 'end',
      failFast,
      normalize: options.normalize,
      areQueries: role === undefined ? !!options.instruction?.trim() : role === 'query',
      dimensions: width,
    }
    const outcome = await model.run(job, [{ head, bodies }], asIs, { vectors: whole }, options)
    const vectors =
      options.pooling === 'none'
        ? outcome.rows
        : bodies.map((_, i) => whole.subarray(i * width, (i + 1) * width))
    return { vectors, outcome }
  }
}

const asIs = (text: string) => text

const embedJob = {
  task: 'embed' as const,
  onlyTokens: false,
  onlyText: false,
  pooling: 'last',
  interactive: false,
  truncate: false,
  failFast: true,
  normalize: true,
  areQueries: false,
  probability: false,
  dimensions: 0,
  prefix: '',
  suffix: '',
}

/**
 * Cosine similarity of two unit vectors, which is their dot product: −1..1.
 *
 * @throws RangeError if their lengths differ: vectors cut to other dimensions do not compare.
 */
export function similarity(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) {
    throw new RangeError(
      `Expected two vectors of one length but received ${a.length} and ${b.length} dimensions`,
    )
  }
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}
