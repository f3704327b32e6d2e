/// <reference lib="esnext.disposable" preserve="true" />
import type { Qwen3Error } from './errors.ts'
import type { ModelInfo, Stats } from './info.ts'
import type { Group } from './job.ts'
import { inspectModel, LoadedModel } from './model.ts'
import {
  type LoadOptions,
  type ReloadOptions,
  type RankOptions,
  readPairs,
  readRankOptions,
  readText,
  readTexts,
  readTokenOptions,
  readTopOptions,
  type TokenOptions,
  type TopOptions,
  readWarmOptions,
} from './options.ts'
import { defaultInstruction, pairBody, pairHead, pairPrefix, pairSuffix } from './prompts.ts'

/** One document of {@link Reranker.rank}. */
export interface RankedDocument {
  /** Its place in the documents given. */
  index: number
  /** P(yes) in 0..1, or the logit difference with `output: 'logit'`. */
  score: number
}

interface Counted {
  /** Tokens of the whole prompt, before any cut. */
  tokens: number
  /** Tokens cut off the document's end by `truncate: 'end'`. */
  cut: number
}

/** One pair of {@link Reranker.scoreEach}: its score, or why there is none. */
export type ScoredPair = Counted &
  ({ score: number; error: null } | { score: null; error: Qwen3Error })

/** A query and a document. */
export type Pair = readonly [query: string, document: string]

/** A loaded reranking model. Calls made at the same time share passes; nothing runs on the JS thread. */
export class Reranker {
  readonly #model: LoadedModel

  private constructor(model: LoadedModel) {
    this.#model = model
  }

  /**
   * Loads a reranker: any Qwen3-Reranker GGUF, with or without a classification head, or another architecture's file
   * that has one.
   *
   * @throws as {@link Embedder.load}; `ERR_MODEL_MISMATCH` for an embedding model.
   */
  static async load(name: string, options?: LoadOptions): Promise<Reranker> {
    return new Reranker(await LoadedModel.load('rank', name, options))
  }

  /** Longest prompt in tokens: template, query and document together. */
  get maxTokens(): number {
    return this.#model.facts.maxTokens
  }

  get info(): ModelInfo {
    return this.#model.info
  }

  get stats(): Stats {
    return this.#model.stats()
  }

  /**
   * Documents by how well they answer the query, best first; equal scores keep their order.
   *
   * @throws Qwen3Error `ERR_TEXT_TOO_LONG` (facts: index, tokens, limit), `ERR_CLOSED`, `ERR_QUEUE_FULL`.
   */
  async rank(
    query: string,
    documents: readonly string[],
    options?: TopOptions,
  ): Promise<RankedDocument[]> {
    const { topN, rest } = readTopOptions(options)
    const head = readText(query, 'query')
    const groups = [{ head, bodies: readTexts(documents, 'documents') }]
    const { scores } = await this.#run(groups, rest, true)
    const ranked = Array.from(scores, (score, index) => ({ index, score }))
    return ranked.sort((a, b) => b.score - a.score).slice(0, topN)
  }

  /** A score for each [query, document], in input order. */
  async score(pairs: readonly Pair[], options?: RankOptions): Promise<number[]> {
    return Array.from((await this.#run(group(readPairs(pairs)), options, true)).scores)
  }

  /** As {@link score}, but a pair that fails is reported in its place and the others go on. */
  async scoreEach(pairs: readonly Pair[], options?: RankOptions): Promise<ScoredPair[]> {
    const { scores, outcome } = await this.#run(group(readPairs(pairs)), options, false)
    return Array.from(scores, (score, i) => {
      const error = outcome.failures.get(i)
      const counted = { tokens: outcome.tokens[i]!, cut: outcome.cut[i]! }
      return error ? { score: null, ...counted, error } : { score, ...counted, error: null }
    })
  }

  /** The ids of a pair's whole prompt as {@link score} would run it. */
  async tokenize(query: string, document: string, options?: TokenOptions): Promise<Int32Array> {
    const groups = group(readPairs([[query, document]]))
    const { outcome } = await this.#run(groups, readTokenOptions(options), true, true)
    return outcome.ids[0]!
  }

  /** Whether it is in memory: not after `unload`, or `idleMs` without a call, until the next one. */
  get isLoaded(): boolean {
    return this.#model.isLoaded
  }

  /** Runs a short and a full pass, so that the first call need not wait for pages and devices. Loads first, if need be. */
  warm(options?: { signal?: AbortSignal }): Promise<void> {
    return this.#model.warm(readWarmOptions(options))
  }

  /** Gives the memory back, after the calls that run. The next call loads the same file again. */
  unload(): Promise<void> {
    return this.#model.unload()
  }

  /**
   * Takes another file, or the same path again, without a pause: it is loaded beside the one in memory, calls made from
   * then on go to it, and those that run end on the one before. `info` tells which it is; both have one `fingerprint`
   * only if they are the same.
   *
   * @param name as for `load`. @default the path it was loaded from
   * @throws Qwen3Error `ERR_MODEL_MISMATCH` if dimensions, family or pooling differ, and what `load` throws. The model
   * stays as it was then.
   */
  reload(name?: string, options?: ReloadOptions): Promise<void> {
    return this.#model.reload(name, options)
  }

  /** Waits for earlier calls, then frees the model. Later calls reject with `ERR_CLOSED`. Safe to call twice. */
  close(): Promise<void> {
    return this.#model.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** What `console.log` shows. */
  [Symbol.for('nodejs.util.inspect.custom')](): object {
    return inspectModel('Reranker', this.#model)
  }

  async #run(groups: Group[], given: unknown, failFast: boolean, onlyTokens = false) {
    const model = this.#model
    const options = readRankOptions(given, defaultInstruction)
    const judged = model.facts.isQwen3
    const prompts = judged
      ? groups.map(({ head, bodies }) => ({ head: pairHead(options.instruction, head), bodies }))
      : groups
    const scores = new Float64Array(groups.reduce((sum, { bodies }) => sum + bodies.length, 0))
    const outcome = await model.run(
      {
        task: 'rank',
        onlyTokens,
        onlyText: false,
        pooling: 'rank',
        interactive: options.priority === 'interactive',
        truncate: options.truncate === 'end',
        failFast,
        normalize: false,
        areQueries: false,
        probability: options.output === 'probability',
        dimensions: 0,
        prefix: judged ? pairPrefix : '',
        suffix: judged ? pairSuffix : '',
      },
      prompts,
      judged ? pairBody : (body) => body,
      { scores },
      options,
    )
    return { scores, outcome }
  }
}

/** Neighbours with one query go over together: their prompts share everything up to the document. */
function group(pairs: readonly Pair[]): Group[] {
  const groups: { head: string; bodies: string[] }[] = []
  for (const [query, document] of pairs) {
    const last = groups.at(-1)
    if (last?.head === query) last.bodies.push(document)
    else groups.push({ head: query, bodies: [document] })
  }
  return groups
}
