// The models of one index: loaded when they are needed, closed with it if it loaded them.
import { Embedder, type LoadOptions, Qwen3Error, Reranker } from '../index.ts'

type Model = Embedder | Reranker

/** One pass holds so many tokens: passages of a file that begin alike then run that beginning once. */
const indexingBudget = 4_096

export class LazyModel<M extends Model> {
  /** What it was asked for by. */
  readonly name: string
  readonly #load: (() => Promise<M>) | undefined
  #loading: Promise<M> | undefined
  /** Once it is there. */
  ready: M | undefined

  constructor(
    given: string | M,
    kind: { load(name: string, options?: LoadOptions): Promise<M> },
    options: LoadOptions,
  ) {
    if (typeof given === 'string') {
      this.name = given
      this.#load = () => kind.load(given, options)
    } else {
      this.name = given.info.name || given.info.path
      this.ready = given
    }
  }

  async get(): Promise<M> {
    if (this.ready) return this.ready
    this.#loading ??= this.#load!().catch((error: unknown) => {
      // A file may be put there, a download may work the next time.
      this.#loading = undefined
      throw error
    })
    this.ready = await this.#loading
    return this.ready
  }

  async close(): Promise<void> {
    if (!this.#load) return
    await (await this.#loading?.catch(() => undefined))?.close()
    this.ready = undefined
    this.#loading = undefined
  }
}

export function lazyEmbedder(
  given: string | Embedder,
  load: LoadOptions = {},
): LazyModel<Embedder> {
  return new LazyModel(given, Embedder, { budget: indexingBudget, ...load })
}

export function lazyReranker(
  given: string | Reranker,
  load: LoadOptions = {},
): LazyModel<Reranker> {
  return new LazyModel(given, Reranker, load)
}

/** Whatever else than the file decides the vector of a passage. */
export const spaceSettings = JSON.stringify({ head: 1 })

export function closedIndex(): Qwen3Error {
  return new Qwen3Error('ERR_CLOSED', 'The index is closed.', {}, { remedy: 'Open it again.' })
}
