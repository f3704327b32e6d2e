import { entry } from '../entry.ts'
import type { InstructionData, RetrievalData, Text } from './dataset.ts'
import { fieldOf, textIn, textsIn } from './fields.ts'
import { chooseSplit, type Files } from './folder.ts'
import { Remarks, wrongData } from './remarks.ts'
import { type Placed, rowsOf } from './rows.ts'
import { type Qrels, readQrels } from './trec.ts'

const idNames = ['_id', 'id', 'query-id', 'corpus-id', 'doc_id', 'query_id', 'docid', 'qid']
const textNames = ['text', 'contents', 'body', 'query', 'question']

export async function readRetrieval(
  files: Files,
  split: string | undefined,
  remarks: Remarks,
): Promise<{ data: RetrievalData | InstructionData; split: string }> {
  const ids = await readIds(files, remarks)
  const queries = await readQueries(files, remarks)
  const pair = changedPair(files)
  const taken = pair
    ? 'changed'
    : files.qrels.size > 0
      ? chooseSplit(files.qrels, split, 'judgements', remarks)
      : 'all'
  const qrels = pair ? await readAll(pair[0], remarks) : await judgements(files, taken, queries)
  if (!pair && files.qrels.size > 0)
    for (const path of files.qrels.get(taken)!) merge(qrels, await readQrels(path, remarks))
  checkNames(qrels, ids, queries, remarks)
  const judged = queries.filter(({ id }) => qrels.has(id))
  const shared = {
    ids: [...ids],
    documents: () => documentsOf(files.corpus, new Remarks()), // what is odd was said at the first reading,
    queries: judged.map(({ id, text }) => ({ id, text })),
    qrels: new Map(judged.map(({ id }) => [id, qrels.get(id)!])),
  }
  if (!pair) return { data: { kind: 'retrieval', ...shared }, split: taken }
  const instructions = judged.map(({ placed }) => ({
    original: textIn(placed, ['instruction_og', 'instruction_original', 'instruction']),
    changed: textIn(placed, ['instruction_changed', 'changed']),
  }))
  const candidates = await readCandidates(files, remarks)
  const changed = await readAll(pair[1], remarks)
  return {
    data: { kind: 'instructions', ...shared, changed, instructions, candidates },
    split: taken,
  }
}

/** Text of a document as mteb joins it. */
async function* documentsOf(
  paths: readonly string[],
  remarks: Remarks,
): AsyncGenerator<Text & { place: string }> {
  for (const path of paths) {
    for await (const placed of rowsOf(path, remarks)) {
      const title = fieldOf(placed, ['title'])
      const text = textIn(placed, textNames)
      yield {
        id: textIn(placed, idNames),
        text: (typeof title === 'string' ? `${title} ${text}` : text).trim(),
        place: placed.place,
      }
    }
  }
}

async function readIds(files: Files, remarks: Remarks): Promise<Set<string>> {
  const ids = new Set<string>()
  for await (const { id, text, place } of documentsOf(files.corpus, remarks)) {
    if (ids.has(id)) {
      throw wrongData(`Two documents have the id ${id}, the second in ${place}: ids must differ`, {
        document: id,
      })
    }
    ids.add(id)
    if (text === '') remarks.add('empty-document', 'documents are empty', id)
  }
  if (ids.size === 0) throw wrongData(`There are no documents in ${files.corpus.join(', ')}`)
  return ids
}

interface Query extends Text {
  placed: Placed
}

export async function readQueries(files: Files, remarks: Remarks): Promise<Query[]> {
  const queries = new Map<string, Query>()
  for (const path of files.queries) {
    for await (const placed of rowsOf(path, remarks)) {
      const query = { id: textIn(placed, idNames), text: textIn(placed, textNames).trim(), placed }
      if (queries.has(query.id)) {
        throw wrongData(
          `Two queries have the id ${query.id}, the second in ${placed.place}: ids must differ`,
          {
            query: query.id,
          },
        )
      }
      queries.set(query.id, query)
      if (query.text === '') remarks.add('empty-query', 'queries are empty', query.id)
    }
  }
  return [...queries.values()]
}

/** Judgements in the queries' own rows: `"relevant": ["id", …]`, or `{"id": grade, …}`. */
async function judgements(files: Files, split: string, queries: readonly Query[]): Promise<Qrels> {
  const qrels: Qrels = new Map()
  if (split !== 'all') return qrels
  for (const { id, placed } of queries) {
    const relevant = fieldOf(placed, ['relevant'])
    const isMap = typeof relevant === 'object' && relevant !== null && !Array.isArray(relevant)
    const grades = isMap
      ? Object.entries(relevant as Record<string, number>)
      : textsIn(placed, ['relevant']).map((document) => [document, 1] as const)
    qrels.set(id, new Map(grades))
  }
  if (qrels.size === 0)
    throw wrongData(`There are no judgements in ${files.root}: expected qrels/test.tsv`)
  return qrels
}

function checkNames(
  qrels: Qrels,
  ids: ReadonlySet<string>,
  queries: readonly Text[],
  remarks: Remarks,
) {
  const known = new Set(queries.map(({ id }) => id))
  let matched = 0
  for (const [query, grades] of qrels) {
    if (!known.has(query)) {
      remarks.add(
        'unknown-query',
        'judged queries are not among the queries and were left out',
        query,
      )
      continue
    }
    for (const document of grades.keys()) {
      if (ids.has(document)) matched++
      else
        remarks.add(
          'unknown-document',
          'judgements name documents that are not in the corpus and cannot be found',
          document,
        )
    }
  }
  if (matched === 0)
    throw wrongData(
      'No judgement names a query and a document that are there: are all files of one collection?',
    )
  const unjudged = queries.filter(({ id }) => !qrels.has(id))
  if (unjudged.length > 0) {
    remarks.add(
      'unjudged-query',
      'queries have no judgements in this split and were left out',
      unjudged[0]!.id,
      unjudged.length,
    )
  }
}

function changedPair({ qrels }: Files): [string[], string[]] | undefined {
  const original = qrels.get('og') ?? qrels.get('original')
  const changed = qrels.get('changed')
  return original && changed ? [original, changed] : undefined
}

async function readCandidates(files: Files, remarks: Remarks) {
  const found = new Map<string, string[]>()
  for (const path of files.candidates) {
    for await (const placed of rowsOf(path, remarks)) {
      const list = entry(found, textIn(placed, ['query-id', 'qid', 'query_id']), () => [])
      list.push(...textsIn(placed, ['corpus-ids', 'corpus-id', 'pid', 'doc_id']))
    }
  }
  return found
}

async function readAll(paths: readonly string[], remarks: Remarks): Promise<Qrels> {
  const all: Qrels = new Map()
  for (const path of paths) merge(all, await readQrels(path, remarks))
  return all
}

function merge(into: Qrels, more: Qrels) {
  for (const [query, grades] of more) {
    const own = entry(into, query, () => new Map<string, number>())
    for (const [document, grade] of grades) own.set(document, grade)
  }
}
