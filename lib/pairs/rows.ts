// Rows of queries with their answers: what synth writes, mine completes and train learns from, in our form and in
// those of others.
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { Qwen3Error } from '../errors.ts'

export interface PairRow {
  query: string
  positives: string[]
  /** Texts that look like answers and are none. */
  negatives: string[]
  /** What the query is for, where the row says it. */
  instruction?: string
  positiveId?: string
  /** Everything else that the row holds, kept when it is written again. */
  more: Readonly<Record<string, unknown>>
}

type Column = 'query' | 'positives' | 'negatives' | 'instruction' | 'positiveId'

const columns: Readonly<Record<string, Column>> = {
  query: 'query',
  anchor: 'query',
  question: 'query',
  positive: 'positives',
  positives: 'positives',
  pos: 'positives',
  response: 'positives',
  answer: 'positives',
  negative: 'negatives',
  negatives: 'negatives',
  neg: 'negatives',
  rejected_response: 'negatives',
  instruction: 'instruction',
  positive_id: 'positiveId',
}

/** @throws Qwen3Error `ERR_DATASET` for a file that is missing, or a line that is no row; the line is named. */
export async function* readRows(path: string): AsyncGenerator<PairRow> {
  const lines = createInterface({ input: createReadStream(path, 'utf8'), crlfDelay: Infinity })
  let number = 0
  try {
    for await (const line of lines) {
      number++
      const text = number === 1 ? line.replace(/^\uFEFF/, '') : line
      if (text.trim() !== '') yield rowOf(parsed(text, path, number), `line ${number} of ${path}`)
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
    throw wrongRows(`There is no file ${path}`, { file: path })
  }
}

/** @param place Where it stands, for the message. */
export function rowOf(given: unknown, place: string): PairRow {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw wrongRows(`Expected an object with a query and a positive in ${place}`, { place })
  }
  const row: PairRow = { query: '', positives: [], negatives: [], more: {} }
  const more: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(given)) {
    const column = columns[name]
    if (column === undefined) more[name] = value
    else if (value === null || value === undefined) continue
    else if (column === 'positives' || column === 'negatives') {
      for (const one of Array.isArray(value) ? value : [value])
        row[column].push(textOf(one, name, place))
    } else row[column] = textOf(value, name, place)
  }
  return { ...row, more }
}

export function wrongRows(
  problem: string,
  facts: Record<string, string | number> = {},
): Qwen3Error {
  return new Qwen3Error('ERR_DATASET', problem, facts, {
    remedy: 'A row is {"query": "…", "positive": "…", "negatives": ["…"]}, one a line.',
  })
}

function parsed(line: string, path: string, number: number): unknown {
  try {
    return JSON.parse(line)
  } catch (cause) {
    throw new Qwen3Error(
      'ERR_DATASET',
      `Line ${number} of ${path} is not JSON: ${(cause as Error).message}`,
      { file: path, line: number },
      { cause },
    )
  }
}

function textOf(value: unknown, name: string, place: string): string {
  if (typeof value === 'string') return value
  throw wrongRows(
    `Expected a string as ${name} in ${place} but found ${JSON.stringify(value)?.slice(0, 60)}`,
    {
      place,
    },
  )
}
