import { type FunctionOptions, register, TextEmbeddingFunction } from '@lancedb/lancedb/embedding'
import type { Embedder, EmbedOptions, LoadOptions } from '../index.ts'
import { sharedEmbedders } from './model.ts'

export { Qwen3Reranker, type Qwen3RerankerOptions } from './lancedb-reranker.ts'

/** Kept in the table's metadata: only what is the same wherever the table is opened belongs here. */
export interface Qwen3FunctionOptions
  extends FunctionOptions,
    Pick<EmbedOptions, 'instruction' | 'dimensions' | 'truncate'> {
  /** A name or path; `$var:NAME` is looked up in the registry's variables. */
  model: string
  load?: Pick<LoadOptions, 'threads' | 'gpu' | 'maxTokens'> | undefined
  /** Written by this function: the file that made the vectors. */
  fingerprint?: string | undefined
}

/** `getRegistry().get('qwen3').create({ model })`: queries with their instruction, rows as they are. */
export class Qwen3EmbeddingFunction extends TextEmbeddingFunction<Qwen3FunctionOptions> {
  readonly #options: Partial<Qwen3FunctionOptions>
  readonly #documents: EmbedOptions
  readonly #queries: EmbedOptions
  #width: number | undefined
  #fingerprint: string | undefined

  constructor(given: Partial<Qwen3FunctionOptions> = {}) {
    super()
    this.#options = this.resolveVariables(given)
    const { model, load: _, fingerprint: __, instruction, ...documents } = this.#options
    if (typeof model !== 'string') {
      throw new TypeError('Expected the name or path of a model: create({ model })')
    }
    this.#documents = documents
    this.#queries = instruction === undefined ? documents : { ...documents, instruction }
  }

  override async init(): Promise<void> {
    const { model, fingerprint } = this.#options
    const { dimensions, info } = await this.#embedder()
    this.#width = dimensions
    this.#fingerprint = info.fingerprint
    if (fingerprint === undefined || fingerprint === info.fingerprint) return
    throw new Error(
      `This table holds vectors of another file than ${model} is now (${fingerprint}, not ${info.fingerprint}), ` +
        'and they do not compare. Use the file the table was made with, or embed its rows anew.',
    )
  }

  override toJSON(): Record<string, unknown> {
    const fingerprint = this.#fingerprint
    return fingerprint === undefined ? super.toJSON() : { ...super.toJSON(), fingerprint }
  }

  override ndims(): number | undefined {
    return this.#options.dimensions ?? this.#width
  }

  override async generateEmbeddings(texts: string[]): Promise<Float32Array[]> {
    return (await this.#embedder()).embedDocuments(texts, this.#documents)
  }

  override async computeQueryEmbeddings(text: string): Promise<Float32Array> {
    return (await this.#embedder()).embedQuery(text, this.#queries)
  }

  #embedder(): Promise<Embedder> {
    return sharedEmbedders.of(this.#options.model!, this.#options.load).get()
  }
}

register('qwen3')(Qwen3EmbeddingFunction)

/** Frees the models that functions have loaded; they are loaded again when they are needed again. */
export function closeModels(): Promise<void> {
  return sharedEmbedders.close()
}
