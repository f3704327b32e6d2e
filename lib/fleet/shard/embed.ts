// Records to rows, in order, whatever single records do: a text that kills the process that computes it is found by
// halving, and its row says so.
import { Qwen3Error } from '../../errors.ts'
import type { EmbeddedText, Embedder, EmbedOptions } from '../../index.ts'
import type { Parsed, Sized } from '../input/records.ts'
import type { JobFacts } from '../manifest.ts'
import { type Row, rowOf } from '../output/shard-file.ts'

const mostTexts = 512
const mostBytes = 16_384
/** One computes while the next is read and the one before is written. */
const depth = 2

interface Batch {
  readonly records: readonly Parsed[]
  readonly texts: readonly string[]
  readonly result: Promise<EmbeddedText[]>
}

/** Where one batch ends depends on the records alone, so every worker makes the same ones. */
export async function* batchesOf(records: AsyncIterable<Sized[]>): AsyncGenerator<Parsed[]> {
  let batch: Parsed[] = []
  let total = 0
  for await (const some of records) {
    for (const { record, bytes } of some) {
      batch.push(record)
      total += bytes
      if (batch.length < mostTexts && total < mostBytes) continue
      yield batch
      batch = []
      total = 0
    }
  }
  if (batch.length > 0) yield batch
}

export async function* embedRecords(
  embedder: Embedder,
  batches: AsyncIterable<Parsed[]>,
  job: JobFacts,
  signal: AbortSignal,
): AsyncGenerator<Row[]> {
  const { instruction, dimensions, truncate } = job
  const purpose = instruction === '' ? ({ role: 'document' } as const) : { instruction }
  const options: EmbedOptions = { ...purpose, dimensions, truncate, signal, priority: 'bulk' }
  const inFlight = embedder.info.engine === 'packed' ? depth : 1
  const pending: Batch[] = []
  const finish = async (): Promise<Row[]> => {
    const { records, texts, result } = pending[0]!
    const embedded = await result.catch(async (error: unknown) => {
      if (!isDeath(error)) throw error
      // What ran beside it died with it; it must not be taken for its murderer.
      await Promise.allSettled(pending.map((batch) => batch.result))
      return halved(embedder, texts, options)
    })
    pending.shift()
    return rowsOf(records, embedded)
  }
  for await (const records of batches) {
    if (pending.length >= inFlight) yield await finish()
    const texts = records.flatMap((record) => ('text' in record ? [record.text] : []))
    const result = embedder.embedEach(texts, options)
    // Its failure is seen when its turn comes; until then it must not count as unhandled.
    result.catch(() => {})
    pending.push({ records, texts, result })
  }
  while (pending.length > 0) yield await finish()
}

/** Alone, and where that dies too, in halves. */
async function halved(
  embedder: Embedder,
  texts: readonly string[],
  options: EmbedOptions,
): Promise<EmbeddedText[]> {
  try {
    return await embedder.embedEach(texts, options)
  } catch (error) {
    if (!isDeath(error)) throw error
    if (texts.length <= 1) return texts.map(() => ({ tokens: 0, cut: 0, vector: null, error }))
    const middle = texts.length >> 1
    const before = await halved(embedder, texts.slice(0, middle), options)
    return [...before, ...(await halved(embedder, texts.slice(middle), options))]
  }
}

function rowsOf(records: readonly Parsed[], embedded: readonly EmbeddedText[]): Row[] {
  let at = 0
  return records.map((record) => {
    if ('text' in record) return rowOf(record.id, named(embedded[at++]!))
    const error = { code: 'ERR_RECORD', message: record.problem }
    return { id: record.id, tokens: 0, cut: 0, vector: null, error }
  })
}

/** The same bytes whatever the process's number or its age: a shard may be made twice. */
function named(embedded: EmbeddedText): EmbeddedText {
  const { error } = embedded
  if (!error || !isDeath(error)) return embedded
  const problem = 'The process that computes died of this text, twice'
  return { ...embedded, error: new Qwen3Error('ERR_PROCESS_DIED', problem) }
}

function isDeath(error: unknown): error is Qwen3Error {
  return error instanceof Qwen3Error && error.code === 'ERR_PROCESS_DIED'
}
