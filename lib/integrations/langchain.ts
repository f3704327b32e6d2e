import { Document, type DocumentInterface } from '@langchain/core/documents'
import { Embeddings } from '@langchain/core/embeddings'
import { BaseDocumentCompressor } from '@langchain/core/retrievers/document_compressors'
import {
  Embedder,
  type EmbedOptions,
  type LoadOptions,
  type RankOptions,
  Reranker,
} from '../index.ts'
import { type Given, LazyModel } from './model.ts'

export interface Qwen3EmbeddingsFields
  extends Pick<EmbedOptions, 'instruction' | 'dimensions' | 'truncate'> {
  /** A name or path, loaded at first use; or a model of yours. */
  model: Given<Embedder>
  load?: LoadOptions | undefined
}

/** Queries go with their instruction, documents as they are, many documents in one call. */
export class Qwen3Embeddings extends Embeddings {
  readonly #model: LazyModel<Embedder>
  readonly #queries: EmbedOptions
  readonly #documents: EmbedOptions

  constructor({ model, load, ...queries }: Qwen3EmbeddingsFields) {
    super({})
    const { instruction: _, ...documents } = queries
    this.#model = new LazyModel(Embedder, model, load)
    this.#queries = queries
    this.#documents = documents
  }

  async embedQuery(text: string): Promise<number[]> {
    const model = await this.#model.get()
    return Array.from(await model.embedQuery(text, this.#queries))
  }

  async embedDocuments(texts: string[]): Promise<number[][]> {
    const model = await this.#model.get()
    const vectors = await model.embedDocuments(texts, this.#documents)
    // Vector stores serialise vectors as JSON, which knows no typed arrays.
    return vectors.map((vector) => Array.from(vector))
  }

  /** Frees the model if it was given by name. */
  close(): Promise<void> {
    return this.#model.close()
  }
}

export interface Qwen3RerankFields extends Pick<RankOptions, 'instruction' | 'truncate'> {
  model: Given<Reranker>
  load?: LoadOptions | undefined
  /** Documents kept. @default 3, as other rerankers of LangChain */
  topN?: number | undefined
}

export interface RerankCall {
  topN?: number | undefined
  signal?: AbortSignal | undefined
}

/** Keeps the documents that answer the query best, best first, with `metadata.relevanceScore` (P(yes), 0..1). */
export class Qwen3Rerank extends BaseDocumentCompressor {
  readonly #model: LazyModel<Reranker>
  readonly #options: RankOptions
  readonly topN: number

  constructor({ model, load, topN = 3, ...options }: Qwen3RerankFields) {
    super()
    this.#model = new LazyModel(Reranker, model, load)
    this.#options = options
    this.topN = topN
  }

  async compressDocuments(
    documents: DocumentInterface[],
    query: string,
  ): Promise<DocumentInterface[]> {
    const ranked = await this.rerank(documents, query)
    return ranked.map(({ index, relevanceScore }) => {
      const { pageContent, metadata, id } = documents[index]!
      const fields = { pageContent, metadata: { ...metadata, relevanceScore } }
      return new Document(id === undefined ? fields : { ...fields, id })
    })
  }

  /** The order alone: places in `documents`, best first. */
  async rerank(
    documents: (DocumentInterface | string)[],
    query: string,
    { topN = this.topN, ...call }: RerankCall = {},
  ): Promise<{ index: number; relevanceScore: number }[]> {
    const texts = documents.map((one) => (typeof one === 'string' ? one : one.pageContent))
    const model = await this.#model.get()
    const ranked = await model.rank(query, texts, { ...this.#options, ...call, topN })
    return ranked.map(({ index, score }) => ({ index, relevanceScore: score }))
  }

  /** Frees the model if it was given by name. */
  close(): Promise<void> {
    return this.#model.close()
  }
}
