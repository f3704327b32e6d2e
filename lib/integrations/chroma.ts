import { type EmbeddingFunction, registerEmbeddingFunction } from 'chromadb'
import type { Embedder, EmbedOptions, LoadOptions } from '../index.ts'
import { type LazyModel, sharedEmbedders } from './model.ts'

/** Chroma keeps these with the collection and makes the function anew from them. */
export interface Qwen3EmbeddingConfig
  extends Pick<EmbedOptions, 'instruction' | 'dimensions' | 'truncate'> {
  /** A name or path. */
  model: string
  load?: Pick<LoadOptions, 'threads' | 'gpu' | 'maxTokens'> | undefined
  /** The file that must be behind the name; {@link Qwen3EmbeddingFunction.load} fills it in. */
  fingerprint?: string | undefined
}

/** Queries go with their instruction, documents as they are. */
export class Qwen3EmbeddingFunction implements EmbeddingFunction {
  readonly name = 'qwen3'
  readonly #config: Qwen3EmbeddingConfig
  readonly #documents: EmbedOptions
  readonly #queries: EmbedOptions
  readonly #model: LazyModel<Embedder>

  constructor(config: Qwen3EmbeddingConfig) {
    Qwen3EmbeddingFunction.check(config)
    const { model, load, fingerprint: _, instruction, ...documents } = config
    this.#config = config
    this.#documents = documents
    this.#queries = instruction === undefined ? documents : { ...documents, instruction }
    this.#model = sharedEmbedders.of(model, load)
  }

  /** Loads the model now, so that a collection made with this function refuses any other file later. */
  static async load(config: Qwen3EmbeddingConfig): Promise<Qwen3EmbeddingFunction> {
    const { info } = await new Qwen3EmbeddingFunction(config).#embedder()
    return new Qwen3EmbeddingFunction({ ...config, fingerprint: info.fingerprint })
  }

  static buildFromConfig(config: Qwen3EmbeddingConfig): Qwen3EmbeddingFunction {
    return new Qwen3EmbeddingFunction(config)
  }

  async generate(texts: string[]): Promise<number[][]> {
    return plain(await (await this.#embedder()).embedDocuments(texts, this.#documents))
  }

  async generateForQueries(texts: string[]): Promise<number[][]> {
    return plain(await (await this.#embedder()).embedQueries(texts, this.#queries))
  }

  defaultSpace() {
    return 'cosine' as const
  }

  supportedSpaces() {
    return ['cosine' as const, 'ip' as const, 'l2' as const]
  }

  getConfig(): Qwen3EmbeddingConfig {
    return this.#config
  }

  validateConfig(config: Record<string, unknown>): void {
    Qwen3EmbeddingFunction.check(config)
  }

  /** Vectors of different models or widths do not compare. */
  validateConfigUpdate(config: Record<string, unknown>): void {
    for (const name of ['model', 'dimensions', 'fingerprint'] as const) {
      if (!(name in config) || config[name] === this.#config[name]) continue
      // One that was not pinned may be.
      if (name === 'fingerprint' && this.#config.fingerprint === undefined) continue
      throw new TypeError(`${name} of a collection cannot change: embed its documents anew instead`)
    }
  }

  async #embedder(): Promise<Embedder> {
    const { model, fingerprint } = this.#config
    const embedder = await this.#model.get()
    const found = embedder.info.fingerprint
    if (fingerprint === undefined || fingerprint === found) return embedder
    throw new Error(
      `This collection holds vectors of another file than ${model} is now (${fingerprint}, not ${found}), and they do ` +
        'not compare. Use the file it was made with, or embed its documents anew.',
    )
  }

  private static check({ model }: { model?: unknown }): void {
    if (typeof model === 'string') return
    throw new TypeError('Expected { model }: the name or path of an embedding model')
  }
}

registerEmbeddingFunction('qwen3', Qwen3EmbeddingFunction)

/** Frees the models that functions have loaded; they are loaded again when they are needed again. */
export function closeModels(): Promise<void> {
  return sharedEmbedders.close()
}

function plain(vectors: Float32Array[]): number[][] {
  return vectors.map((vector) => Array.from(vector))
}
