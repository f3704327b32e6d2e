// When the models behind adapters are loaded, and by whom they are closed.
import { Embedder, type LoadOptions, type Reranker } from '../index.ts'

/** A name, loaded at first use; or a model that you loaded, and close, yourself. */
export type Given<Model> = string | Model

interface Kind<Model> {
  load(name: string, options?: LoadOptions): Promise<Model>
}

export class LazyModel<Model extends Embedder | Reranker> {
  readonly #kind: Kind<Model>
  readonly #given: Given<Model>
  readonly #options: LoadOptions | undefined
  #loading: Promise<Model> | undefined

  constructor(kind: Kind<Model>, given: Given<Model>, options?: LoadOptions) {
    this.#kind = kind
    this.#given = given
    this.#options = options
  }

  get(): Promise<Model> {
    if (typeof this.#given !== 'string') return Promise.resolve(this.#given)
    this.#loading ??= this.#kind.load(this.#given, this.#options).catch((error) => {
      // The next call tries again: a download may have failed.
      this.#loading = undefined
      throw error
    })
    return this.#loading
  }

  /** Frees the model if it was loaded here; it is loaded again when it is needed again. */
  async close(): Promise<void> {
    const loading = this.#loading
    this.#loading = undefined
    await (await loading?.catch(() => undefined))?.close()
  }
}

/** One model for one name and its options, however many ask for it. */
export class LazyModels<Model extends Embedder | Reranker> {
  readonly #kind: Kind<Model>
  readonly #models = new Map<string, LazyModel<Model>>()

  constructor(kind: Kind<Model>) {
    this.#kind = kind
  }

  of(given: Given<Model>, options: LoadOptions = {}): LazyModel<Model> {
    if (typeof given !== 'string') return new LazyModel(this.#kind, given)
    const key = JSON.stringify([given, options])
    const model = this.#models.get(key) ?? new LazyModel(this.#kind, given, options)
    this.#models.set(key, model)
    return model
  }

  async close(): Promise<void> {
    await Promise.all([...this.#models.values()].map((model) => model.close()))
  }
}

/** For registries, which make their functions anew at every call. */
export const sharedEmbedders = new LazyModels<Embedder>(Embedder)
