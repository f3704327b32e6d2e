import type { RelevanceScoreProvider } from '@mastra/core/relevance'
import { type LoadOptions, type RankOptions, Reranker } from '../index.ts'
import { type Given, LazyModel } from './model.ts'

// Mastra embeds with models of the AI SDK.
export { createQwen3, qwen3 } from './ai.ts'

export interface Qwen3ScorerOptions extends Pick<RankOptions, 'instruction' | 'truncate'> {
  load?: LoadOptions | undefined
}

/** For `rerankWithScorer({ results, query, scorer })` of `@mastra/rag`. */
export class Qwen3RelevanceScorer implements RelevanceScoreProvider {
  readonly #model: LazyModel<Reranker>
  readonly #options: RankOptions

  constructor(model: Given<Reranker>, { load, ...options }: Qwen3ScorerOptions = {}) {
    this.#model = new LazyModel(Reranker, model, load)
    this.#options = options
  }

  /** P(yes), 0..1. Scores asked for at the same time share passes. */
  async getRelevanceScore(query: string, text: string): Promise<number> {
    const model = await this.#model.get()
    const [score] = await model.score([[query, text]], this.#options)
    return score!
  }

  /** Frees the model if it was given by name. */
  close(): Promise<void> {
    return this.#model.close()
  }
}
