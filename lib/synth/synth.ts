// Documents to queries with their answers, and to a collection of other documents that judges what is learnt from them.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { misuse, refuseUnknown } from '../errors.ts'
import {
  defaultInstruction,
  Embedder,
  type LoadOptions,
  type OnProgress,
  Reranker,
} from '../index.ts'
import { corpusOf } from '../pairs/near.ts'
import { openedOne } from '../pairs/opened.ts'
import { wrongRows } from '../pairs/rows.ts'
import { writeLines } from '../pairs/write.ts'
import { readDocuments } from './documents.ts'
import { filterRows, heldOut } from './filter.ts'
import { type Document, headingPairs } from './headings.ts'
import type { Reason, SynthRow } from './row.ts'

export interface SynthOptions {
  /** A folder of Markdown files, one file, or texts. */
  documents: string | Iterable<Document>
  /** Embeds for the filters and the split: a name, or a loaded one, which stays open. */
  model: string | Embedder
  /** Where rows are written. @default nowhere: they are returned alone */
  output?: string | undefined
  /** A folder for the collection that is held out, in the form that `evaluate` reads. @default none is */
  heldOut?: string | undefined
  /** Part of the documents that is held out. @default 0.25 */
  part?: number | undefined
  /** How queries are made. @default 'headings' */
  method?: 'headings' | undefined
  /** Least cosine of a query and its passage; `'auto'` keeps the best 60% of the first 500. @default none */
  minCosine?: number | 'auto' | undefined
  /** The passage must be among the first so many for its query. @default not asked */
  roundTrip?: number | undefined
  /** A judge that must say yes. */
  reranker?: string | Reranker | undefined
  /** Most queries a passage. @default 2 */
  perPassage?: number | undefined
  /** @default 1 */
  seed?: number | undefined
  instruction?: string | undefined
  load?: LoadOptions | undefined
  cacheDir?: string | undefined
  signal?: AbortSignal | undefined
  onProgress?: OnProgress | undefined
}

const known: readonly (keyof SynthOptions)[] = [
  'documents',
  'model',
  'output',
  'heldOut',
  'part',
  'method',
  'minCosine',
  'roundTrip',
  'reranker',
  'perPassage',
  'seed',
  'instruction',
  'load',
  'cacheDir',
  'signal',
  'onProgress',
]

export interface Synthesised {
  /** To learn from. */
  rows: SynthRow[]
  /** To judge by: of other documents. */
  heldOut: SynthRow[]
  documents: number
  passages: number
  dropped: Record<Reason, number>
  minCosine: number | undefined
}

/**
 * Makes queries for passages of documents.
 *
 * @throws Qwen3Error `ERR_DATASET` where there is nothing to make them of; as `Embedder.load`; `TypeError` and
 * `RangeError` for wrong options; the signal's reason.
 */
export async function synth(options: SynthOptions): Promise<Synthesised> {
  refuseUnknown(options, known, 'option')
  const { part = 0.25, seed = 1, method = 'headings', signal, load } = options
  if (method !== 'headings') throw misuse(RangeError, "'headings'", 'the option method', method)
  if (!(part > 0 && part < 1))
    throw misuse(RangeError, 'a number between 0 and 1', 'the option part', part)
  const made: SynthRow[] = []
  const documents: string[] = []
  for await (const document of documentsOf(options.documents)) {
    signal?.throwIfAborted()
    documents.push(document.id)
    made.push(...headingPairs(document))
  }
  if (made.length === 0) {
    throw wrongRows(
      `No heading of ${documents.length} documents asks for anything: Markdown with headings that say something is needed`,
      { documents: documents.length },
    )
  }
  const { places, passages } = passagesOf(made)
  const opened: { close(): Promise<void> }[] = []
  try {
    const more = { ...load, ...(signal ? { signal } : {}) }
    const embedder = await openedOne(Embedder, options.model, more, opened)
    const reranker =
      options.reranker === undefined
        ? undefined
        : await openedOne(Reranker, options.reranker, more, opened)
    const near = { ...options, instruction: options.instruction ?? defaultInstruction }
    const corpus = await corpusOf(
      embedder,
      passages.map(({ positive }) => positive),
      near,
    )
    const { minCosine, roundTrip, perPassage = 2 } = options
    const filters = { nearQueries: 0.95, minCosine, roundTrip, perPassage, reranker }
    const filtered = await filterRows(made, embedder, corpus, places, { ...near, ...filters })
    const owners = passages.map(({ source }) => ({ document: source.document }))
    const others =
      options.heldOut === undefined
        ? new Set<string>()
        : await heldOut(documents, owners, corpus, part, seed, near)
    const rows = filtered.rows.filter(({ source }) => !others.has(source.document))
    const judging = filtered.rows.filter(({ source }) => others.has(source.document))
    if (options.output !== undefined) await writeLines(options.output, rows)
    if (options.heldOut !== undefined) await writeCollection(options.heldOut, passages, judging)
    return {
      rows,
      heldOut: judging,
      documents: documents.length,
      passages: passages.length,
      dropped: filtered.dropped,
      minCosine: filtered.minCosine,
    }
  } finally {
    await Promise.all(opened.map((model) => model.close()))
  }
}

async function* documentsOf(given: string | Iterable<Document>): AsyncGenerator<Document> {
  if (typeof given === 'string') yield* readDocuments(given)
  else yield* given
}

/** Each passage once, and where each row's stands. */
function passagesOf(rows: readonly SynthRow[]) {
  const numbers = new Map<string, number>()
  const passages: SynthRow[] = []
  const places = rows.map((row) => {
    const known = numbers.get(row.positive)
    if (known !== undefined) return known
    numbers.set(row.positive, passages.length)
    return passages.push(row) - 1
  })
  return { places, passages }
}

/** All passages are searched among, as they will be; queries are of documents that nothing is learnt from. */
async function writeCollection(
  folder: string,
  passages: readonly SynthRow[],
  rows: readonly SynthRow[],
): Promise<void> {
  await mkdir(folder, { recursive: true })
  const idOf = new Map(passages.map(({ positive, positive_id }) => [positive, positive_id]))
  await writeLines(
    join(folder, 'corpus.jsonl'),
    passages.map(({ positive, positive_id }) => ({ _id: positive_id, text: positive })),
  )
  await writeLines(
    join(folder, 'queries.jsonl'),
    rows.map(({ query, positive }, i) => ({
      _id: `q${i + 1}`,
      text: query,
      relevant: { [idOf.get(positive)!]: 1 },
    })),
  )
}
