// From rows to what the trainer takes: every text once, as tokens, and examples as numbers of texts.
import { createHash } from 'node:crypto'
import { type Embedder, type Reranker, defaultInstruction } from '../index.ts'
import { type PairRow, readRows, rowOf, wrongRows } from '../pairs/rows.ts'
import { Meter } from '../progress.ts'
import type { Example } from './batches.ts'
import type { Settings } from './options.ts'

export interface Material {
  /** Token ids of all texts. */
  tokens: Int32Array[]
  /** Texts of documents by number, where documents have vectors of their own: '' for queries. */
  documents: string[]
  examples: Example[]
  /** Of reranking: whole prompts by their query's row, with 1 for an answer. */
  pairs: { query: number; prompt: number; label: number }[]
  /** Of everything that is learnt from. */
  digest: string
  counts: { rows: number; skipped: number; cut: number }
}

const atOnce = 256

export async function prepare(model: Embedder | Reranker, settings: Settings): Promise<Material> {
  const rows: PairRow[] = []
  const counts = { rows: 0, skipped: 0, cut: 0 }
  for await (const row of rowsOf(settings.data)) {
    settings.signal?.throwIfAborted()
    counts.rows++
    const positives = row.positives.filter((text) => text.trim() !== '')
    if (row.query.trim() === '' || positives.length === 0) counts.skipped++
    else
      rows.push({
        ...row,
        positives,
        negatives: row.negatives.filter((text) => text.trim() !== ''),
      })
  }
  if (counts.rows === 0) throw wrongRows('There are no rows to learn from')
  if (counts.skipped > counts.rows / 100) {
    throw wrongRows(
      `${counts.skipped} of ${counts.rows} rows have an empty query or no positive: more than one in a hundred`,
      counts,
    )
  }
  const hash = createHash('sha256')
  for (const { query, positives, negatives, instruction } of rows)
    hash.update(JSON.stringify([query, positives, negatives, instruction ?? null]))
  const listed = 'score' in model ? listPairs(rows, settings) : listExamples(rows, settings)
  const texts = await tokenized(model, listed.texts, settings, counts)
  return {
    tokens: texts,
    documents: listed.texts.map((text) => (text.isDocument ? text.text : '')),
    examples: listed.examples,
    pairs: listed.pairs,
    digest: hash.digest('hex'),
    counts,
  }
}

async function* rowsOf(data: string | Iterable<object>): AsyncGenerator<PairRow> {
  if (typeof data === 'string') return yield* readRows(data)
  let number = 0
  for (const row of data) yield rowOf(row, `row ${number++}`)
}

interface Listed {
  text: string
  /** What the text is asked for, of a query; of a pair, its query. */
  head: string
  /** Of a pair: what its query is for, where that is not the usual. */
  instruction?: string | undefined
  isDocument: boolean
}

class List {
  readonly texts: Listed[] = []
  readonly #known = new Map<string, number>()

  add(text: Listed): number {
    const key = JSON.stringify([text.head, text.text, text.isDocument, text.instruction ?? null])
    const known = this.#known.get(key)
    if (known !== undefined) return known
    this.#known.set(key, this.texts.length)
    return this.texts.push(text) - 1
  }
}

function listExamples(rows: readonly PairRow[], settings: Settings) {
  const list = new List()
  const examples: Example[] = []
  for (const { query, positives, negatives, instruction } of rows) {
    const head = instruction ?? settings.instruction ?? defaultInstruction
    const document = (text: string) => list.add({ text, head: '', isDocument: true })
    const asked = list.add({ text: query, head, isDocument: false })
    const wrong = negatives.map(document)
    for (const text of positives) {
      const positive = document(text)
      examples.push({ query: asked, positive, negatives: wrong.filter((one) => one !== positive) })
    }
  }
  return { texts: list.texts, examples, pairs: [] }
}

function listPairs(rows: readonly PairRow[], settings: Settings) {
  const list = new List()
  const pairs = rows.flatMap(({ query, positives, negatives, instruction }, row) =>
    [positives, negatives].flatMap((texts, i) =>
      texts.map((text) => ({
        query: row,
        prompt: list.add({
          text,
          head: query,
          instruction: instruction ?? settings.instruction,
          isDocument: false,
        }),
        label: 1 - i,
      })),
    ),
  )
  return { texts: list.texts, examples: [], pairs }
}

async function tokenized(
  model: Embedder | Reranker,
  texts: readonly Listed[],
  { maxTokens, signal, onProgress }: Settings,
  counts: { cut: number },
): Promise<Int32Array[]> {
  const most = Math.min(maxTokens, model.maxTokens)
  const meter = new Meter({ phase: 'tokens', unit: 'texts', total: texts.length }, onProgress)
  const tokens: Int32Array[] = []
  const one = async ({ text, head, instruction, isDocument }: Listed): Promise<Int32Array> => {
    if ('score' in model) {
      const asked = instruction === undefined ? {} : { instruction }
      return cutPair(await model.tokenize(head, text, asked), most)
    }
    return model.tokenize(text, isDocument ? { role: 'document' } : { instruction: head })
  }
  for (let from = 0; from < texts.length; from += atOnce) {
    signal?.throwIfAborted()
    const some = await Promise.all(texts.slice(from, from + atOnce).map(one))
    for (const ids of some) {
      if (ids.length > most) counts.cut++
      // The end token stays: it is the one whose row is read.
      tokens.push(
        ids.length > most ? Int32Array.from([...ids.slice(0, most - 1), ids.at(-1)!]) : ids,
      )
    }
    meter.reach(tokens.length)
  }
  return tokens
}

/** Tokens of a pair's prompt after its document: the answer is read after them. */
const suffixTokens = 9

function cutPair(ids: Int32Array, most: number): Int32Array {
  if (ids.length <= most) return ids
  return Int32Array.from([...ids.slice(0, most - suffixTokens), ...ids.slice(-suffixTokens)])
}
