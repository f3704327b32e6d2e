// Judged queries alone, for documents that are somewhere else.
import { chooseSplit, lookInto } from './folder.ts'
import { type Remarks, wrongData } from './remarks.ts'
import { readQueries } from './retrieval.ts'
import { type Qrels, readQrels } from './trec.ts'

export interface Judged {
  /** Those that are judged. */
  readonly queries: readonly { readonly id: string; readonly text: string }[]
  readonly qrels: Qrels
}

/**
 * Queries and judgements of a folder in BEIR's form, without a corpus: for a system that has its documents already.
 *
 * @throws Qwen3Error `ERR_DATASET` where there are none, or they cannot be read.
 */
export async function readJudged(root: string, remarks: Remarks): Promise<Judged> {
  const files = await lookInto(root)
  if (files.queries.length === 0 || files.qrels.size === 0) {
    throw wrongData(
      `There are no judged queries in ${root}: expected queries.jsonl and qrels/test.tsv`,
      { folder: root },
    )
  }
  const known = await readQueries(files, remarks)
  const qrels: Qrels = new Map()
  const split = chooseSplit(files.qrels, undefined, 'judgements', remarks)
  for (const path of files.qrels.get(split)!) {
    for (const [query, grades] of await readQrels(path, remarks))
      qrels.set(query, new Map([...(qrels.get(query) ?? []), ...grades]))
  }
  const queries = known.filter(({ id }) => qrels.has(id))
  const ids = new Set(queries.map(({ id }) => id))
  for (const id of [...qrels.keys()].filter((query) => !ids.has(query))) {
    remarks.add('unknown-query', 'judged queries are not among the queries: left out', id)
    qrels.delete(id)
  }
  if (queries.length === 0)
    throw wrongData(`None of the queries in ${root} is judged`, { folder: root })
  return { queries, qrels }
}
