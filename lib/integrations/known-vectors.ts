import type { CallOptions, Embedder } from '../index.ts'

const most = 50_000

/** An agent asks about the same files again and again: a passage that has not changed is not embedded anew. */
export class KnownVectors {
  readonly #vectors = new Map<string, Float32Array>()

  async of(
    embedder: Embedder,
    texts: readonly string[],
    options: CallOptions,
  ): Promise<Float32Array[]> {
    const fresh = [...new Set(texts.filter((text) => !this.#vectors.has(text)))]
    const vectors = await embedder.embedDocuments(fresh, options)
    // A view would keep the buffer of the whole call alive.
    for (const [i, text] of fresh.entries()) this.#vectors.set(text, vectors[i]!.slice())
    const found = texts.map((text) => this.#vectors.get(text)!)
    for (const text of this.#vectors.keys()) {
      if (this.#vectors.size <= most) break
      this.#vectors.delete(text)
    }
    return found
  }
}
