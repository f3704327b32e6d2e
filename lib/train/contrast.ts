// Of embedding: a query's vector comes nearer to its answer's than to the other documents' of the batch.
import { Qwen3Error } from '../errors.ts'
import type { Embedder } from '../index.ts'
import type { NativeStep, NativeTrainer } from '../native.ts'
import { call } from '../native.ts'
import { randomOf } from '../pairs/random.ts'
import { Meter } from '../progress.ts'
import { planBatches } from './batches.ts'
import type { Lesson } from './lesson.ts'
import type { Material } from './material.ts'
import type { Settings } from './options.ts'

export class Contrast implements Lesson {
  readonly batches: readonly (readonly number[])[]
  readonly count: number
  readonly #examples: Material['examples']
  /** Documents that each query is contrasted with besides the batch's. */
  readonly #bank: readonly number[]
  readonly #settings: Settings

  constructor({ examples, documents }: Material, settings: Settings) {
    this.batches = planBatches(examples, settings)
    this.count = examples.length
    this.#examples = examples
    this.#bank = settings.bank > 0 ? documents.flatMap((text, i) => (text === '' ? [] : [i])) : []
    this.#settings = settings
    const alone = examples.length === 1 || settings.batch === 1
    if (
      alone &&
      this.#bank.length < 2 &&
      examples.every(({ negatives }) => negatives.length === 0)
    ) {
      throw new Qwen3Error(
        'ERR_DATASET',
        'There is nothing to contrast: one example a batch, and no negatives',
        {},
        { remedy: 'Give more rows, a larger batch, or negatives (qwen3-embed mine).' },
      )
    }
  }

  take(trainer: NativeTrainer, step: number, rate: number): Promise<NativeStep> {
    const { bank, seed } = this.#settings
    const chosen = this.batches[step]!.map((i) => this.#examples[i]!)
    const documents: number[] = []
    const present = new Set<number>()
    for (const [i, { positive, negatives }] of chosen.entries()) {
      documents.push(positive, i, 1)
      present.add(positive)
      for (const negative of negatives) {
        documents.push(negative, i, 0)
        present.add(negative)
      }
    }
    const others = this.#bank.filter((text) => !present.has(text))
    for (const text of drawn(others, bank, seed + 7919 * (step + 1))) documents.push(text, -1, 0)
    const queries = Int32Array.from(chosen, ({ query }) => query)
    return call(trainer.step(queries, Int32Array.from(documents), rate))
  }
}

/** At most so many of them, by the seed. */
function drawn(texts: readonly number[], most: number, seed: number): readonly number[] {
  if (texts.length <= most) return texts
  const random = randomOf(seed)
  const left = [...texts]
  return Array.from({ length: most }, () => {
    const i = Math.floor(random() * left.length)
    const taken = left[i]!
    left[i] = left.at(-1)!
    left.pop()
    return taken
  })
}

/** Documents as the model has them, computed once: they stay so. */
export async function freezeDocuments(
  embedder: Embedder,
  trainer: NativeTrainer,
  { documents }: Material,
  { maxTokens, signal, onProgress }: Settings,
): Promise<void> {
  const numbers = documents.flatMap((text, i) => (text === '' ? [] : [i]))
  const width = embedder.dimensions
  const rows = new Float32Array(documents.length * width)
  const given = new Uint8Array(documents.length)
  const meter = new Meter({ phase: 'documents', unit: 'texts', total: numbers.length }, onProgress)
  for (let from = 0; from < numbers.length; from += 1_024) {
    const some = numbers.slice(from, from + 1_024)
    const ids = await Promise.all(
      some.map(async (i) =>
        cut(await embedder.tokenize(documents[i]!, { role: 'document' }), maxTokens),
      ),
    )
    const vectors = await embedder.embed(ids, { role: 'document', ...(signal ? { signal } : {}) })
    for (const [k, i] of some.entries()) {
      rows.set(vectors[k]!, i * width)
      given[i] = 1
    }
    meter.reach(Math.min(numbers.length, from + 1_024))
  }
  trainer.setRows(rows, given)
}

const cut = (ids: Int32Array, most: number) =>
  ids.length > most ? Int32Array.from([...ids.slice(0, most - 1), ids.at(-1)!]) : ids
