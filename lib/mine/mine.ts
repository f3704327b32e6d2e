// Rows gain hard negatives: texts near a query that are no answer to it. Embedded once, searched exactly, filtered on
// threads of their own.
import { defaultInstruction, Embedder, Reranker } from '../index.ts'
import { readCorpus } from '../pairs/corpus.ts'
import { corpusOf, cosine, nearest, queriesOf } from '../pairs/near.ts'
import { openedOne } from '../pairs/opened.ts'
import { randomOf } from '../pairs/random.ts'
import { type PairRow, readRows, rowOf, wrongRows } from '../pairs/rows.ts'
import { writeLines } from '../pairs/write.ts'
import { selectAside } from './aside.ts'
import { type MineOptions, readOptions, type Settings } from './options.ts'
import type { Rule } from './select.ts'

/** A row as it is written. */
export interface MinedRow {
  query: string
  positive: string | string[]
  negatives: string[]
  scores: { positive: number; negatives: number[] }
}

export interface MineReport {
  queries: number
  negatives: number
  /** Mean cosine of queries with their positives and with their negatives. */
  positiveScore: number
  negativeScore: number
  /** Candidates by the rule that dropped them: a positive, its twin, its words again, too near. */
  dropped: Record<Rule | 'judge', number>
  /** Texts that the judge made positives. */
  promoted: number
  /** Queries with fewer negatives than asked for. */
  few: number
  /** Rows whose own positive is far from the query, by number: look at them. */
  suspect: number[]
}

export interface Mined {
  rows: MinedRow[]
  report: MineReport
}

/** Queries that one thread filters at a time. */
const batchQueries = 256

/**
 * Finds hard negatives for every row.
 *
 * @throws Qwen3Error `ERR_DATASET` for rows that are wrong; as `Embedder.load`; `TypeError` and `RangeError` for wrong
 * options; the signal's reason.
 */
export async function mine(options: MineOptions): Promise<Mined> {
  const settings = readOptions(options)
  const rows = await rowsIn(settings)
  const opened: { close(): Promise<void> }[] = []
  try {
    const { load, signal, onProgress } = settings
    const more = { ...load, ...(signal ? { signal } : {}), ...(onProgress ? { onProgress } : {}) }
    const embedder = await openedOne(Embedder, settings.model, more, opened)
    const judge =
      settings.reranker === undefined
        ? undefined
        : await openedOne(Reranker, settings.reranker, more, opened)
    const mined = await mineRows(embedder, judge, rows, settings)
    if (settings.output !== undefined) await writeLines(settings.output, mined.rows)
    return mined
  } finally {
    await Promise.all(opened.map((model) => model.close()))
  }
}

async function rowsIn({ data }: Settings): Promise<PairRow[]> {
  const rows: PairRow[] = []
  const all =
    typeof data === 'string' ? readRows(data) : Array.from(data, (row, i) => rowOf(row, `row ${i}`))
  for await (const row of all) {
    if (row.query.trim() === '' || row.positives.length === 0)
      throw wrongRows(`Row ${rows.length} has no query or no positive`, { row: rows.length })
    rows.push(row)
  }
  if (rows.length === 0) throw wrongRows('There are no rows')
  return rows
}

async function mineRows(
  embedder: Embedder,
  judge: Reranker | undefined,
  rows: readonly PairRow[],
  settings: Settings,
): Promise<Mined> {
  const { signal, negatives: wanted, range } = settings
  // Positives first, so that they have rows of their own whatever the corpus holds.
  const numbers = new Map<string, number>()
  const numberOf = (text: string) => {
    const known = numbers.get(text) ?? numbers.size
    numbers.set(text, known)
    return known
  }
  const positives = rows.map((row) => row.positives.map(numberOf))
  if (settings.corpus !== undefined) {
    for (const { text } of await readCorpus(settings.corpus)) if (text !== '') numberOf(text)
  }
  const texts = [...numbers.keys()]
  const common = { ...settings, instruction: settings.instruction ?? defaultInstruction }
  const corpus = await corpusOf(embedder, texts, common)
  const queries = await askedOf(embedder, rows, common)
  const top = Math.min(range, texts.length)
  const found = await nearest(corpus, queries, top, common)

  const dropped = { positive: 0, twin: 0, words: 0, score: 0, judge: 0 }
  const report: MineReport = {
    queries: rows.length,
    negatives: 0,
    positiveScore: 0,
    negativeScore: 0,
    dropped,
    promoted: 0,
    few: 0,
    suspect: [],
  }
  const mined: MinedRow[] = []
  for (let from = 0; from < rows.length; from += batchQueries) {
    const some = Array.from({ length: Math.min(batchQueries, rows.length - from) }, (_, k) => {
      const i = from + k
      const own = positives[i]!
      const score = Math.min(...own.map((row) => cosine(queries, i, corpus.vectors, row)))
      const candidates = Array.from({ length: top }, (_, t) => found.rows[i * top + t]!)
        .filter((row) => row >= 0)
        .map((row, t) => ({
          row,
          score: found.scores[i * top + t]!,
          toPositive: Math.max(
            ...own.map((one) => cosine(corpus.vectors, one, corpus.vectors, row)),
          ),
        }))
      const isFar = !candidates.some(({ row }) => own.includes(row))
      return { i, positives: own, positiveScore: score, candidates, isFar }
    })
    const { method, threshold, containment, twin } = settings
    const task = { texts, queries: some, method, threshold, containment, twin }
    const selected = await selectAside(task, signal)
    for (const rule of Object.keys(selected.dropped) as Rule[])
      dropped[rule] += selected.dropped[rule]
    for (const [k, { i, positiveScore, isFar }] of some.entries()) {
      let kept = selected.kept[k]!
      if (settings.pick === 'random') kept = shuffledBy(kept, settings.seed + i)
      const row = rows[i]!
      const judged = judge && (await judgedBy(judge, row, kept.slice(0, 2 * wanted), texts, common))
      const chosen = (judged?.wrong ?? kept).slice(0, wanted)
      dropped.judge += judged?.right.length ?? 0
      if (isFar || (judged && judged.positive < 0.1)) report.suspect.push(i)
      const promoted = settings.promote ? (judged?.right ?? []).map((row) => texts[row]!) : []
      report.promoted += promoted.length
      report.positiveScore += positiveScore
      report.negatives += chosen.length
      for (const { score } of chosen) report.negativeScore += score
      if (chosen.length < wanted) report.few++
      const answers = [...row.positives, ...promoted]
      mined.push({
        query: row.query,
        positive: answers.length === 1 ? answers[0]! : answers,
        negatives: [...row.negatives, ...chosen.map(({ row }) => texts[row]!)],
        ...(row.instruction === undefined ? {} : { instruction: row.instruction }),
        ...(row.positiveId === undefined ? {} : { positive_id: row.positiveId }),
        ...row.more,
        scores: { positive: positiveScore, negatives: chosen.map(({ score }) => score) },
      })
    }
    settings.onProgress?.({
      phase: 'mine',
      unit: 'queries',
      done: mined.length,
      total: rows.length,
      rate: 0,
      eta: undefined,
    })
  }
  report.positiveScore /= rows.length
  report.negativeScore /= Math.max(1, report.negatives)
  return { rows: mined, report }
}

/** Queries under their own instructions, in the order of the rows. */
async function askedOf(
  embedder: Embedder,
  rows: readonly PairRow[],
  common: Settings & { instruction: string },
) {
  const kinds = [...new Set(rows.map(({ instruction }) => instruction ?? common.instruction))]
  const width = embedder.dimensions
  const values = new Float32Array(new SharedArrayBuffer(4 * rows.length * width))
  for (const instruction of kinds) {
    const places = rows.flatMap((row, i) =>
      (row.instruction ?? common.instruction) === instruction ? [i] : [],
    )
    const some = await queriesOf(
      embedder,
      places.map((i) => rows[i]!.query),
      { ...common, instruction },
    )
    for (const [k, i] of places.entries())
      values.set(some.values.subarray(k * width, (k + 1) * width), i * width)
  }
  return { values, rows: rows.length, width }
}

/** What the judge says yes to, or nearly as much as to the positive, is no wrong answer. */
async function judgedBy(
  judge: Reranker,
  row: PairRow,
  candidates: readonly { row: number; score: number }[],
  texts: readonly string[],
  { instruction, signal }: { instruction: string; signal?: AbortSignal | undefined },
) {
  const asked = [row.positives[0]!, ...candidates.map((one) => texts[one.row]!)]
  const scores = await judge.score(
    asked.map((text) => [row.query, text] as const),
    {
      instruction: row.instruction ?? instruction,
      truncate: 'end',
      ...(signal ? { signal } : {}),
    },
  )
  const positive = scores[0]!
  const isRight = (i: number) => scores[i + 1]! >= 0.5 || scores[i + 1]! > 0.9 * positive
  return {
    positive,
    wrong: candidates.filter((_, i) => !isRight(i)),
    right: candidates.filter((_, i) => isRight(i)).map((one) => one.row),
  }
}

function shuffledBy<T>(list: readonly T[], seed: number): T[] {
  const random = randomOf(seed)
  const order = list.map((one) => ({ one, at: random() }))
  return order.sort((a, b) => a.at - b.at).map(({ one }) => one)
}
