// Rows of any file we read, as objects of named columns: jsonl, json, csv, tsv and parquet.
import { readFile } from 'node:fs/promises'
import { cells } from './cells.ts'
import { linesOf } from './lines.ts'
import { parquetRows } from './parquet.ts'
import { type Remarks, wrongData } from './remarks.ts'

export type Row = Readonly<Record<string, unknown>>

/** A row and where it stands, for messages. */
export interface Placed {
  row: Row
  place: string
}

const endings = /\.(jsonl|ndjson|json|csv|tsv|parquet)(\.gz)?$/i

export function isTable(name: string): boolean {
  return endings.test(name)
}

/** The name without what says its format. */
export function stem(name: string): string {
  return name.replace(endings, '')
}

/**
 * @param header Columns of a csv or tsv file whose first line is data; found from the data where undefined.
 * @throws Qwen3Error `ERR_DATASET` where a line cannot be read, with its file and number.
 */
export async function* rowsOf(path: string, remarks: Remarks): AsyncGenerator<Placed> {
  const [, ending = ''] = endings.exec(path) ?? []
  const kind = ending.toLowerCase()
  if (kind === 'parquet') yield* parquetRows(path)
  else if (kind === 'json') yield* jsonRows(path)
  else if (kind === 'csv' || kind === 'tsv') yield* separatedRows(path, kind, remarks)
  else yield* jsonLines(path, remarks)
}

async function* jsonLines(path: string, remarks: Remarks): AsyncGenerator<Placed> {
  let number = 0
  for await (const lines of linesOf(path, remarks)) {
    for (const line of lines) {
      const place = `line ${++number} of ${path}`
      if (line.trim() === '') continue
      yield { row: objectIn(parse(line, place), place), place }
    }
  }
}

async function* jsonRows(path: string): AsyncGenerator<Placed> {
  const items = parse((await readFile(path, 'utf8')).replace(/^\uFEFF/, ''), path)
  if (!Array.isArray(items)) throw wrongData(`Expected a JSON array in ${path}`, { file: path })
  for (const [i, item] of items.entries()) {
    const place = `item ${i} of ${path}`
    yield { row: objectIn(item, place), place }
  }
}

async function* separatedRows(path: string, kind: 'csv' | 'tsv', remarks: Remarks) {
  let names: readonly string[] | undefined
  for await (const { fields, line } of cells(path, kind, remarks)) {
    const place = `line ${line} of ${path}`
    if (!names) {
      names = headerIn(fields)
      if (names) continue
      names = guessed(fields, place)
    }
    if (fields.length < names.length) {
      throw wrongData(`Expected ${names.length} fields in ${place} but found ${fields.length}`, {
        file: path,
        line,
      })
    }
    yield { row: Object.fromEntries(names.map((name, i) => [name, fields[i]])), place }
  }
}

const known =
  /^(_?id|(query|corpus|doc|document)[-_ ]?id|score|label|labels|relevance|text|title|query|sentence_?[12]|similarity_score|positive|negative|split)$/i

function headerIn(fields: readonly string[]): readonly string[] | undefined {
  const names = fields.map((field) => field.trim())
  return names.filter((name) => known.test(name)).length >= 2 ? names : undefined
}

/** Files without a header that people keep: qrels of three or four columns, two sentences and a number, a text and a label. */
function guessed(fields: readonly string[], place: string): readonly string[] {
  const n = fields.length
  const isNumber = (i: number) =>
    fields[i] !== undefined && fields[i]!.trim() !== '' && !Number.isNaN(Number(fields[i]))
  const spare = Array.from({ length: n }, (_, i) => `column ${i + 1}`)
  if (n === 3 && isNumber(2) && !/\s/.test(fields[0]!.trim() + fields[1]!.trim())) {
    return ['query-id', 'corpus-id', 'score']
  }
  if (n === 4 && isNumber(3) && isNumber(1)) return ['query-id', 'iteration', 'corpus-id', 'score']
  if (n >= 3 && isNumber(n - 1)) return [...spare.slice(3), 'sentence1', 'sentence2', 'score']
  // STS-B's own files: genre, file, year, number, score and the two sentences; some lines name sources after them.
  if (n >= 7 && isNumber(4)) return [...spare.slice(0, 4), 'score', 'sentence1', 'sentence2']
  if (n === 3 && isNumber(0)) return ['score', 'sentence1', 'sentence2']
  if (n === 2) return ['text', 'label']
  throw wrongData(
    `Expected a first line that names the columns (such as sentence1, sentence2, score), or two sentences and a number, in ${place}`,
  )
}

function parse(json: string, place: string): unknown {
  try {
    return JSON.parse(json)
  } catch (cause) {
    throw wrongData(`Expected JSON in ${place}: ${(cause as Error).message}`)
  }
}

function objectIn(value: unknown, place: string): Row {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Row
  throw wrongData(`Expected a JSON object in ${place}`)
}
