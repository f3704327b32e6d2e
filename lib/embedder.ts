import type { Qwen3Error } from './errors.ts'
import type { ModelInfo, Stats } from './info.ts'
import type { Outcome } from './job.ts'
import { LoadedModel } from './model.ts'
import {
  type EmbedOptions,
  type LoadOptions,
  readBodies,
  readEmbedOptions,
  readIds,
  readText,
  readTokenOptions,
  type TokenOptions,
} from './options.ts'
import { defaultInstruction, queryPrefix } from './prompts.ts'

/** One text of {@link Embedder.embedEach}. */
export interface EmbeddedText {
  /** (dimensions), or (tokens × dimensions) with `pooling: 'none'`; null if this text failed. */
  vector: Float32Array | null
  /** Tokens of the text with its instruction and end token, before any cut. */
  tokens: number
  /** Tokens cut off its end by `truncate: 'end'`. */
  cut: number
  error: Qwen3Error | null
}

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
  async embedQueries(texts: string[], options?: EmbedOptions): Promise<Float32Array[]> {
    return this.#embed(texts, options, {
      instruction: this.#model.facts.isQwen3 ? defaultInstruction : '',
      priority: 'interactive',
    })
  }

  /** Documents, which Qwen3 embeds as they are. Results are in input order. */
  async embedDocuments(texts: string[], options?: EmbedOptions): Promise<Float32Array[]> {
    return this.#embed(texts, options, {})
  }

  /**
   * The general form: any instruction (none by default), any pooling. Symmetric tasks such as duplicate detection or
   * clustering want one instruction on both sides. A text may be given as its token ids; the end token is added unless
   * they have it.
   */
  async embed(texts: (string | Int32Array)[], options?: EmbedOptions): Promise<Float32Array[]> {
    return this.#embed(texts, options, {})
  }

  /** As {@link embed}, but a text that fails is reported in its place and the others go on. */
  async embedEach(texts: (string | Int32Array)[], options?: EmbedOptions): Promise<EmbeddedText[]> {
    const { vectors, outcome } = await this.#run(texts, options, {}, false)
    return vectors.map((vector, i) => {
      const error = outcome.failures.get(i) ?? null
      return {
        vector: error ? null : vector,
        tokens: outcome.tokens[i]!,
        cut: outcome.cut[i]!,
        error,
      }
    })
  }

  /** Tokens of a text as {@link embed} would run it: with its instruction and its end token. No limit applies. */
  async countTokens(text: string, options?: TokenOptions): Promise<number> {
    return (await this.tokenize(text, options)).length
  }

  /** The ids of a text as {@link embed} would run it: with its instruction and its end token. */
  async tokenize(text: string, options?: TokenOptions): Promise<Int32Array> {
    const { instruction = '', signal } = readTokenOptions(options)
    const groups = [{ head: queryPrefix(instruction), bodies: [readText(text, 'text')] }]
    const job = { ...embedJob, onlyTokens: true, interactive: true }
    const { ids } = await this.#model.run(job, groups, asIs, {}, { signal })
    return ids[0]!
  }

  /** The text of token ids, special tokens spelled out. */
  async detokenize(ids: Int32Array | number[]): Promise<string> {
    const groups = [{ head: '', bodies: [readIds(ids, 'ids')] }]
    const job = { ...embedJob, onlyText: true, interactive: true }
    return (await this.#model.run(job, groups, asIs, {}, {})).texts[0]!
  }

  /** Waits for earlier calls, then frees the model. Later calls reject with `ERR_CLOSED`. Safe to call twice. */
  close(): Promise<void> {
    return this.#model.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #embed(
    texts: unknown,
    given: unknown,
    method: Partial<EmbedOptions>,
  ): Promise<Float32Array[]> {
    return (await this.#run(texts, given, method, true)).vectors
  }

  async #run(texts: unknown, given: unknown, method: Partial<EmbedOptions>, failFast: boolean) {
    const model = this.#model
    const declared = model.facts.pooling
    const options = readEmbedOptions(given, {
      width: this.dimensions,
      pooling: declared && declared !== 'rank' ? declared : 'last',
      method,
    })
    const bodies = readBodies(texts, 'texts')
    const width = options.dimensions
    const whole = new Float32Array(options.pooling === 'none' ? 0 : bodies.length * width)
    const job = {
      ...embedJob,
      pooling: options.pooling,
      interactive: options.priority === 'interactive',
      truncate: options.truncate === 'end',
      failFast,
      normalize: options.normalize,
      dimensions: width,
    }
    const groups = [{ head: queryPrefix(options.instruction), bodies }]
    const outcome: Outcome = await model.run(job, groups, asIs, { vectors: whole }, options)
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
