import { stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { collectionFolder } from './collections.ts'
import type { Data, Kind } from './dataset.ts'
import { chooseSplit, lookInto, refuseSubsets } from './folder.ts'
import { readTable } from './labelled.ts'
import { type Remarks, wrongData } from './remarks.ts'
import { readRetrieval } from './retrieval.ts'
import { isTable, stem } from './rows.ts'

export interface Opened {
  name: string
  split: string
  data: Data
}

export interface OpenOptions {
  split?: string | undefined
  /** What the data is for, where its columns do not say. */
  kind?: Kind | undefined
}

/**
 * A data set by the name of a collection, or the path of a folder or file.
 *
 * @throws Qwen3Error `ERR_DATASET` for data that is missing, damaged or contradicts itself.
 */
export async function openDataset(
  given: string,
  { split, kind }: OpenOptions,
  remarks: Remarks,
): Promise<Opened> {
  const path = (await collectionFolder(given)) ?? resolve(given)
  const facts = await stat(path).catch(() => undefined)
  if (!facts)
    throw wrongData(
      `There is no data set ${given}: neither a folder, nor a file, nor a collection's name`,
      { dataset: given },
    )
  const name = stem(basename(path))
  if (facts.isFile()) {
    if (!isTable(path))
      throw wrongData(`${path} is no jsonl, json, csv, tsv or parquet file`, { file: path })
    return { name, split: split ?? 'test', data: await readTable([path], [], kind, remarks) }
  }
  const files = await lookInto(path)
  if (files.corpus.length > 0 && files.queries.length > 0) {
    return { name, ...(await readRetrieval(files, split, remarks)) }
  }
  if (files.tables.size === 0) {
    throw wrongData(
      `There is nothing to read in ${path}: expected corpus, queries and qrels, or test.jsonl (.csv, .tsv, .parquet)`,
      {
        folder: path,
      },
    )
  }
  const judged = new Map([...files.tables].filter(([split]) => split !== 'train'))
  const taken = chooseSplit(judged.size > 0 ? judged : files.tables, split, 'tables', remarks)
  refuseSubsets(path, files.tables.get(taken)!)
  const training = files.tables.get('train') ?? []
  return {
    name,
    split: taken,
    data: await readTable(files.tables.get(taken)!, training, kind, remarks),
  }
}
