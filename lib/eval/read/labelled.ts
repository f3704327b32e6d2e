// Data sets that are one table: what they are for is told by their columns.
import { entry } from '../entry.ts'
import type { Data, Kind, LabelledTexts } from './dataset.ts'
import { fieldOf, numberIn, textIn, textsIn } from './fields.ts'
import { type Remarks, wrongData } from './remarks.ts'
import { type Placed, rowsOf } from './rows.ts'

const left = ['sentence1', 'sent1', 'text1', 'sentence_1', 'source']
const right = ['sentence2', 'sent2', 'text2', 'sentence_2', 'target']
const similarity = ['score', 'similarity_score', 'similarity']
const label = ['label', 'labels', 'category']
const text = ['text', 'sentence', 'sentences', 'document']

/** @param paths Of the judged split. @param training Of the training split, where there is one. */
export async function readTable(
  paths: readonly string[],
  training: readonly string[],
  asked: Kind | undefined,
  remarks: Remarks,
): Promise<Data> {
  const rows = await allRows(paths, remarks)
  if (rows.length === 0) throw wrongData(`There are no rows in ${paths.join(', ')}`)
  const kind = asked ?? kindOf(rows)
  switch (kind) {
    case 'sts':
    case 'pairs':
    case 'bitext':
      return pairData(kind, rows, remarks)
    case 'reranking':
      return { kind, rows: rerankingRows(rows, remarks) }
    case 'retrieval':
      return answers(rows)
    case 'classification':
      return classification(rows, await allRows(training, remarks))
    case 'clustering':
      return { kind, sets: clusteringSets(rows) }
    case 'summarisation':
      return { kind, rows: rows.map(summaries) }
    default:
      throw wrongData(`A ${kind} task needs a folder with a corpus, queries and judgements`)
  }
}

function kindOf(rows: readonly Placed[]): Kind {
  const [first] = rows as [Placed]
  const has = (names: readonly string[]) => fieldOf(first, names) !== undefined
  if (has(['machine_summaries'])) return 'summarisation'
  if (has(left) && has(right)) {
    if (has(['label', 'labels'])) return 'pairs'
    return has(similarity) ? 'sts' : 'bitext'
  }
  if (has(['positive']))
    return rows.some((row) => fieldOf(row, ['negative'])) ? 'reranking' : 'retrieval'
  if (has(['sentences']) && has(label)) return 'clustering'
  if (has(text) && has(label)) return 'classification'
  throw wrongData(
    `${first.place} has the columns ${Object.keys(first.row).join(', ')}, which fit no task; known are sentence1, sentence2 with score ` +
      'or label; text, label; sentences, labels; query, positive, negative; text, human_summaries, machine_summaries, relevance',
  )
}

function pairData(
  kind: 'sts' | 'pairs' | 'bitext',
  rows: readonly Placed[],
  remarks: Remarks,
): Data {
  const data = { kind, left: [] as string[], right: [] as string[], gold: [] as number[] }
  for (const row of listed(rows)) {
    data.left.push(noted(textIn(row, left), row, remarks))
    data.right.push(noted(textIn(row, right), row, remarks))
    if (kind === 'sts') data.gold.push(numberIn(row, similarity))
    if (kind === 'pairs') data.gold.push(binary(row))
  }
  return data
}

/** mteb keeps a whole pair classification set in one row of lists. */
function* listed(rows: readonly Placed[]): Generator<Placed> {
  for (const placed of rows) {
    const first = fieldOf(placed, left)
    if (!Array.isArray(first)) yield placed
    else {
      for (let i = 0; i < first.length; i++) {
        const row = Object.fromEntries(
          Object.entries(placed.row).map(([name, list]) => [
            name,
            Array.isArray(list) ? list[i] : list,
          ]),
        )
        yield { row, place: `item ${i} of ${placed.place}` }
      }
    }
  }
}

function binary(row: Placed): number {
  const value = numberIn(row, ['label', 'labels'])
  if (value === 0 || value === 1) return value
  throw wrongData(`Expected 0 or 1 as the label in ${row.place}, not ${value}`)
}

function rerankingRows(rows: readonly Placed[], remarks: Remarks) {
  const kept = rows
    .map((row) => ({
      queries: textsIn(row, ['query', 'queries']),
      positive: textsIn(row, ['positive']),
      negative: textsIn(row, ['negative']),
      place: row.place,
    }))
    .filter(({ positive, negative, place }) => {
      if (positive.length > 0 && negative.length > 0) return true
      remarks.add(
        'one-sided-query',
        'queries lack a positive or a negative and were left out',
        place,
      )
      return false
    })
  if (kept.length === 0) throw wrongData('No query has both a positive and a negative')
  return kept.map(({ place: _, ...row }) => row)
}

/** Questions with their answers: all answers together are the corpus. */
function answers(rows: readonly Placed[]): Data {
  const ids = new Map<string, string>()
  const queries = rows.map((row, i) => ({
    id: `q${i + 1}`,
    text: textIn(row, ['query', 'question']),
    row,
  }))
  const qrels = new Map(
    queries.map(({ id, row }) => {
      const found = textsIn(row, ['positive']).map((answer) =>
        entry(ids, answer, () => `d${ids.size + 1}`),
      )
      return [id, new Map(found.map((document) => [document, 1]))]
    }),
  )
  const documents = [...ids].map(([text, id]) => ({ id, text }))
  return {
    kind: 'retrieval',
    ids: documents.map(({ id }) => id),
    documents: async function* () {
      yield* documents
    },
    queries: queries.map(({ id, text }) => ({ id, text })),
    qrels,
  }
}

function classification(test: readonly Placed[], train: readonly Placed[]): Data {
  if (train.length === 0) {
    throw wrongData(
      'Classification learns from a training split: expected a file train.jsonl (or .csv, .parquet) beside the test split',
    )
  }
  const classes = new Map<string, number>()
  const read = (rows: readonly Placed[]): LabelledTexts => ({
    texts: rows.map((row) => textIn(row, text)),
    labels: rows.map((row) => entry(classes, textIn(row, label), () => classes.size)),
  })
  const [trained, tested] = [read(train), read(test)]
  if (new Set(trained.labels).size < 2)
    throw wrongData('Expected at least two labels in the training split')
  return { kind: 'classification', train: trained, test: tested, classes: [...classes.keys()] }
}

/** Rows of lists are sets of their own; rows of one text and one label make one set. */
function clusteringSets(rows: readonly Placed[]): LabelledTexts[] {
  const numbered = (labels: readonly unknown[]) => {
    const known = new Map<string, number>()
    return labels.map((name) =>
      entry(known, `${Array.isArray(name) ? name[0] : name}`, () => known.size),
    )
  }
  if (!Array.isArray(fieldOf(rows[0]!, ['sentences']))) {
    return [
      {
        texts: rows.map((row) => textIn(row, text)),
        labels: numbered(rows.map((row) => fieldOf(row, label))),
      },
    ]
  }
  return rows.map((row) => {
    const texts = textsIn(row, ['sentences'])
    const labels = fieldOf(row, ['labels', 'label'])
    if (!Array.isArray(labels) || labels.length !== texts.length) {
      throw wrongData(`Expected a label for each of ${texts.length} sentences in ${row.place}`)
    }
    return { texts, labels: numbered(labels) }
  })
}

function summaries(row: Placed) {
  const machine = textsIn(row, ['machine_summaries'])
  const scores = fieldOf(row, ['relevance', 'scores'])
  if (!Array.isArray(scores) || scores.length !== machine.length) {
    throw wrongData(`Expected a score for each of ${machine.length} summaries in ${row.place}`)
  }
  return { human: textsIn(row, ['human_summaries']), machine, scores: scores.map(Number) }
}

function noted(value: string, row: Placed, remarks: Remarks): string {
  if (value.trim() === '') remarks.add('empty-text', 'texts are empty', row.place)
  return value
}

async function allRows(paths: readonly string[], remarks: Remarks): Promise<Placed[]> {
  const rows: Placed[] = []
  for (const path of paths) for await (const row of rowsOf(path, remarks)) rows.push(row)
  return rows
}
