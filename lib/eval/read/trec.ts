// TREC's two files: judgements of four columns and runs of six, separated by any white space.

import { entry } from '../entry.ts'
import { numberIn, textIn } from './fields.ts'
import { linesOf } from './lines.ts'
import { type Remarks, wrongData } from './remarks.ts'
import { isTable, rowsOf } from './rows.ts'

export type Qrels = Map<string, Map<string, number>>
export type Run = Map<string, Map<string, number>>

const splitter = /[ \t]+/

/** A run: `query Q0 document rank score tag`. The rank is not looked at. @throws Qwen3Error `ERR_DATASET` */
export async function readRun(path: string, remarks: Remarks): Promise<Run> {
  const run: Run = new Map()
  await eachLine(path, remarks, 6, ([query, , document, , score], line) => {
    const value = Number(score)
    if (Number.isNaN(value)) throw wrongLine(`a number as its score, not ${score}`, path, line)
    const scores = entry(run, query!, () => new Map())
    if (scores.has(document!)) {
      throw wrongData(
        `Line ${line} of ${path} names document ${document} for query ${query} a second time: each may stand once`,
        { file: path, line, query: query!, document: document! },
      )
    }
    scores.set(document!, value)
  })
  if (run.size === 0) throw wrongData(`There is nothing in ${path}`, { file: path })
  return run
}

/** Judgements: TREC's `query iteration document grade`, or BEIR's tsv, or the hub's parquet. @throws Qwen3Error `ERR_DATASET` */
export async function readQrels(path: string, remarks: Remarks): Promise<Qrels> {
  const qrels: Qrels = new Map()
  const add = (query: string, document: string, grade: number, place: string) => {
    if (!Number.isFinite(grade) || !Number.isInteger(grade)) {
      throw wrongData(`Expected a whole number as the grade in ${place}, not ${grade}`, {
        file: path,
      })
    }
    const grades = entry(qrels, query, () => new Map())
    const before = grades.get(document)
    if (before !== undefined && before !== grade) {
      throw wrongData(
        `${place} gives document ${document} of query ${query} the grade ${grade}, an earlier one ${before}: which is right?`,
        { file: path, query, document },
      )
    }
    if (before !== undefined)
      remarks.add('repeated-judgement', 'judgements stand twice with one grade', place)
    grades.set(document, grade)
  }
  if (isTable(path)) {
    for await (const placed of rowsOf(path, remarks)) {
      const query = textIn(placed, ['query-id', 'query_id', 'qid'])
      const document = textIn(placed, ['corpus-id', 'corpus_id', 'doc-id', 'doc_id', 'document_id'])
      add(query, document, numberIn(placed, ['score', 'relevance', 'label']), placed.place)
    }
  } else {
    await eachLine(path, remarks, 4, ([query, , document, grade], line) =>
      add(query!, document!, Number(grade), `Line ${line} of ${path}`),
    )
  }
  if (qrels.size === 0) throw wrongData(`There is nothing in ${path}`, { file: path })
  return qrels
}

/** A run as TREC writes it, best first. */
export function* runLines(
  ranked: Iterable<readonly [query: string, ranked: readonly (readonly [string, number])[]]>,
  tag: string,
) {
  for (const [query, documents] of ranked) {
    for (const [i, [document, score]] of documents.entries()) {
      yield `${query} Q0 ${document} ${i + 1} ${score} ${tag}\n`
    }
  }
}

async function eachLine(
  path: string,
  remarks: Remarks,
  columns: number,
  use: (fields: string[], line: number) => void,
) {
  let number = 0
  for await (const lines of linesOf(path, remarks)) {
    for (const line of lines) {
      number++
      const fields = line.trim().split(splitter)
      if (fields.length === 1 && fields[0] === '') continue
      if (fields.length !== columns) {
        throw wrongLine(`${columns} columns, found ${fields.length}`, path, number)
      }
      use(fields, number)
    }
  }
}

function wrongLine(what: string, file: string, line: number): Error {
  return wrongData(`Expected ${what}, in line ${line} of ${file}`, { file, line })
}
