// Of reranking: the paper's Eq. 2, the cross entropy of yes and no after a prompt.
import { Qwen3Error } from '../errors.ts'
import type { NativeStep, NativeTrainer } from '../native.ts'
import { call } from '../native.ts'
import { planPairs } from './batches.ts'
import type { Lesson } from './lesson.ts'
import type { Material } from './material.ts'
import type { Settings } from './options.ts'

export class Ranking implements Lesson {
  readonly batches: readonly (readonly number[])[]
  readonly count: number
  readonly #pairs: Material['pairs']

  constructor({ pairs }: Material, settings: Settings) {
    const answers = pairs.filter(({ label }) => label === 1).length
    if (answers === 0 || answers === pairs.length) {
      throw new Qwen3Error(
        'ERR_DATASET',
        `Expected answers and texts that are none, to tell them apart, but all ${pairs.length} pairs are ` +
          (answers === 0 ? 'wrong' : 'answers'),
        { pairs: pairs.length, answers },
        { remedy: 'Give rows with negatives (qwen3-embed mine).' },
      )
    }
    this.batches = planPairs(pairs, settings)
    this.count = pairs.length
    this.#pairs = pairs
  }

  take(trainer: NativeTrainer, step: number, rate: number): Promise<NativeStep> {
    const chosen = this.batches[step]!.map((i) => this.#pairs[i]!)
    return call(
      trainer.stepPairs(
        Int32Array.from(chosen, ({ prompt }) => prompt),
        Uint8Array.from(chosen, ({ label }) => label),
        rate,
      ),
    )
  }
}
