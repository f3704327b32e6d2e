// What Embedder and Reranker share: loading, closing, and refusing work once closed.
import { Qwen3Error } from './errors.ts'
import { gpuLibrary } from './gpu.ts'
import { type ModelInfo, modelInfo } from './info.ts'
import { abortable, type Control, type Group, type Outcome, runJob } from './job.ts'
import { resolveModel } from './models/resolve.ts'
import {
  call,
  type NativeJobOptions,
  type NativeModel,
  type NativeModelFacts,
  type NativeStats,
  native,
} from './native.ts'
import { readLoadOptions, readText } from './options.ts'

/** Tokenizers whose reference normalises text to NFC first; llama.cpp's do not. */
const nfcTokenizers = /qwen2/

export class LoadedModel {
  readonly info: ModelInfo
  readonly facts: NativeModelFacts
  readonly #model: NativeModel
  #closed = false

  private constructor(model: NativeModel, facts: NativeModelFacts, info: ModelInfo) {
    this.#model = model
    this.facts = facts
    this.info = info
  }

  static async load(kind: 'embed' | 'rank', name: unknown, given: unknown): Promise<LoadedModel> {
    const { signal, onProgress, download, ...options } = readLoadOptions(given)
    signal?.throwIfAborted()
    const gpu = options.gpu || ''
    const library = options.gpu ? gpuLibrary(options.gpu) : ''
    const { binding, libraries } = native()
    const found = await resolveModel(readText(name, 'the model name or path'), {
      ...download,
      signal,
    })
    const path = found.paths[0]!
    const model = new binding.Model()
    const loading = model.load(
      { ...options, path, kind, gpu, gpuLibrary: library },
      libraries,
      onProgress,
    )
    const facts = await call(signal ? abortable(loading, signal, () => model.abort()) : loading)
    return new LoadedModel(model, facts, modelInfo(found, facts))
  }

  async run(
    options: NativeJobOptions,
    groups: Group[],
    shape: (text: string) => string,
    out: { vectors?: Float32Array; scores?: Float64Array },
    control: Control,
  ): Promise<Outcome> {
    if (this.#closed) {
      throw new Qwen3Error('ERR_CLOSED', 'This model is closed. Load it again to go on using it.')
    }
    const text = (body: string) => this.#text(shape(body))
    const heads = groups.map(({ head, bodies }) => ({ head: this.#text(head), bodies }))
    return runJob(this.#model, options, heads, text, out, control)
  }

  /** As the reference tokenizer sees it. */
  #text(text: string): string {
    return nfcTokenizers.test(this.facts.tokenizer) ? text.normalize('NFC') : text
  }

  stats(): NativeStats {
    return this.#model.stats()
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#model.close()
  }
}
