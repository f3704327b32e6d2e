import { type EmbeddingFunction, registerEmbeddingFunction } from 'chromadb'
import type { Embedder, EmbedOptions, LoadOptions } from '../index.ts'
import { type LazyModel, sharedEmbedders } from './model.ts'

/** Chroma keeps these with the collection and makes the function anew from them. */
export interface Qwen3EmbeddingConfig
  extends Pick<EmbedOptions, 'instruction' | 'dimensions' | 'truncate'> {
  /** A name or path. */
  model: string
  load?: Pick<LoadOptions, 'threads' | 'gpu' | 'maxTokens'>
}

/** Queries go with their instruction, documents as they are. */
export class Qwen3EmbeddingFunction implements EmbeddingFunction {
  readonly name = 'qwen3'
  readonly #config: Qwen3EmbeddingConfig
  readonly #model: LazyModel<Embedder>

  constructor(config: Qwen3EmbeddingConfig) {
    Qwen3EmbeddingFunction.check(config)
    this.#config = config
    this.#model = sharedEmbedders.of(config.model, config.load)
  }

  static buildFromConfig(config: Qwen3EmbeddingConfig): Qwen3EmbeddingFunction {
    return new Qwen3EmbeddingFunction(config)
  }

  async generate(texts: string[]): Promise<number[][]> {
    const { model: _, load: __, instruction: ___, ...options } = this.#config
    return plain(await (await this.#model.get()).embedDocuments(texts, options))
  }

  async generateForQueries(texts: string[]): Promise<number[][]> {
    const { model: _, load: __, ...options } = this.#config
    return plain(await (await this.#model.get()).embedQueries(texts, options))
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
    for (const name of ['model', 'dimensions'] as const) {
      if (!(name in config) || config[name] === this.#config[name]) continue
      throw new TypeError(`${name} of a collection cannot change: embed its documents anew instead`)
    }
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
