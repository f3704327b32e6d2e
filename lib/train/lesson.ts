// What is learnt, step by step: texts that are told apart by their vectors, or prompts by their answers.
import type { NativeStep, NativeTrainer } from '../native.ts'

export interface Lesson {
  /** Numbers of examples, or of pairs, of every step: known before the first. */
  readonly batches: readonly (readonly number[])[]
  /** Examples, or pairs, that there are. */
  readonly count: number
  take(trainer: NativeTrainer, step: number, rate: number): Promise<NativeStep>
}
