// A stream of texts to a stream of rows: a few batches in memory, whatever the number of texts.
import type { EmbeddedText, Embedder, EmbedOptions, Progress } from '../index.ts'
import { batches } from './batches.ts'
import { digestWith, noTexts } from './checkpoint.ts'
import type { Input } from './input.ts'

export interface Sink {
  /** Rows so far, those of earlier runs included, and the digest of their texts. */
  readonly rows: number
  readonly digest: string
  write(embedded: readonly EmbeddedText[], digest: string): Promise<void>
}

/** How many texts are done, and 0..1 of the input where its size is known. */
export type OnStep = (texts: number, fraction: number | undefined) => void

interface Batch {
  readonly texts: number
  /** Of the input, once this batch is done. */
  readonly fraction: number | undefined
  readonly digest: string
  readonly result: Promise<EmbeddedText[]>
  done: number
}

export async function embedAll(
  embedder: Embedder,
  input: Input,
  sink: Sink,
  options: EmbedOptions,
  onStep: OnStep,
): Promise<void> {
  // Our own pass gives a text the same bits in any company; where rounding depends on the company, batches run alone.
  const depth = embedder.info.engine === 'packed' ? 4 : 1
  const pending: Batch[] = []
  let { digest } = sink
  let reached: number | undefined = 0

  const step = () => {
    let texts = sink.rows
    let fraction = reached
    let from = reached
    for (const batch of pending) {
      texts += batch.done
      if (fraction !== undefined && from !== undefined && batch.fraction !== undefined) {
        fraction += (batch.fraction - from) * (batch.done / batch.texts)
      }
      from = batch.fraction
    }
    onStep(texts, fraction)
  }
  const start = (texts: string[]) => {
    for (const text of texts) digest = digestWith(digest, text)
    const onProgress = ({ done }: Progress) => {
      batch.done = done
      step()
    }
    const result = embedder.embedEach(texts, { ...options, onProgress })
    // Its failure is seen when its turn comes; until then it must not count as unhandled.
    result.catch(() => {})
    const batch: Batch = {
      texts: texts.length,
      fraction: input.fraction(),
      digest,
      result,
      done: 0,
    }
    pending.push(batch)
  }
  const write = async (batch: Batch) => {
    await sink.write(await batch.result, batch.digest)
    reached = batch.fraction
    step()
  }

  const source = new Reading(batches(unseen(input.texts, sink)))
  for await (const texts of source.values()) {
    const first = pending.length >= depth ? pending[0] : undefined
    await first?.result
    if (first) pending.shift()
    start(texts)
    if (first) await write(first)
  }
  while (pending.length > 0) {
    await pending[0]!.result
    await write(pending.shift()!)
  }
  if (source.failure) throw source.failure.error
}

/** Texts after those that the sink has rows of. */
async function* unseen(texts: AsyncIterable<string>, sink: Sink): AsyncGenerator<string> {
  const { rows, digest: expected } = sink
  let skipped = 0
  let digest = noTexts
  for await (const text of texts) {
    if (skipped === rows) {
      yield text
      continue
    }
    digest = digestWith(digest, text)
    skipped++
    if (skipped === rows && digest !== expected) throw changed(rows)
  }
  if (skipped < rows) throw changed(rows)
}

function changed(rows: number): Error {
  return new Error(
    `The input is not the one of the earlier run: its first ${rows} texts differ. Give that input again, or ` +
      'begin anew with --restart',
  )
}

/** Ends where reading fails, so that what was read before is still worked on. */
class Reading<T> {
  failure: { error: unknown } | undefined
  readonly #source: AsyncIterable<T>

  constructor(source: AsyncIterable<T>) {
    this.#source = source
  }

  async *values(): AsyncGenerator<T> {
    try {
      yield* this.#source
    } catch (error) {
      this.failure = { error }
    }
  }
}
