import { createRequire } from 'node:module'
import type { RecordBatch } from 'apache-arrow'
import { type LoadOptions, type RankOptions, Reranker } from '../index.ts'
import { type Given, LazyModel } from './model.ts'

// Arrow knows its own by `instanceof`, so it must be the very copy that LanceDB loaded (its CommonJS half).
const require = createRequire(import.meta.url)
const arrow: typeof import('apache-arrow') = createRequire(require.resolve('@lancedb/lancedb'))(
  'apache-arrow',
)

export interface Qwen3RerankerOptions extends Pick<RankOptions, 'instruction' | 'truncate'> {
  load?: LoadOptions | undefined
  /** Where the text is. @default 'text' */
  column?: string | undefined
}

/** For `query().fullTextSearch(…).nearestTo(…).rerank(…)`: both halves in one order, by P(yes). */
export class Qwen3Reranker {
  readonly #model: LazyModel<Reranker>
  readonly #column: string
  readonly #options: RankOptions

  constructor(
    model: Given<Reranker>,
    { load, column = 'text', ...options }: Qwen3RerankerOptions = {},
  ) {
    this.#model = new LazyModel(Reranker, model, load)
    this.#column = column
    this.#options = options
  }

  async rerankHybrid(
    query: string,
    near: RecordBatch,
    matching: RecordBatch,
  ): Promise<RecordBatch> {
    const rows = new Map<unknown, [RecordBatch, number]>()
    for (const batch of [near, matching]) {
      const ids = batch.getChild('_rowid')
      for (let i = 0; i < batch.numRows; i++) rows.set(ids?.get(i) ?? rows.size, [batch, i])
    }
    const found = [...rows.values()]
    const texts = found.map(([batch, i]) => this.#text(batch, i))
    const model = await this.#model.get()
    const ranked = await model.rank(query, texts, this.#options)

    const { Field, Float32, RecordBatch, Schema, Table, vectorFromArray } = arrow
    // `_distance` and `_score` are not in both halves, nor do they compare.
    const names = new Set(matching.schema.fields.map(({ name }) => name))
    const shared = near.schema.fields.filter(({ name }) => names.has(name))
    const schema = new Schema([...shared, new Field('_relevance_score', new Float32(), true)])
    if (ranked.length === 0) return new RecordBatch(schema)
    const columns = shared.map(({ name, type }) => {
      const values = ranked.map(({ index }) => {
        const [batch, i] = found[index]!
        return batch.getChild(name)!.get(i)
      })
      return [name, vectorFromArray(values, type)] as const
    })
    const scores = vectorFromArray(
      ranked.map(({ score }) => score),
      new Float32(),
    )
    const table = Object.fromEntries([...columns, ['_relevance_score', scores]])
    return new Table(schema, table).batches[0]!
  }

  #text(batch: RecordBatch, i: number): string {
    const text: unknown = batch.getChild(this.#column)?.get(i)
    if (typeof text === 'string') return text
    throw new TypeError(
      `Expected a text in the column ${JSON.stringify(this.#column)} of every row: name another one with ` +
        '{ column }, and select it',
    )
  }

  /** Frees the model if it was given by name. */
  close(): Promise<void> {
    return this.#model.close()
  }
}
