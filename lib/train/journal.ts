// What is left on the disk while a training runs, so that it goes on after a kill: two states in turn, and the best
// adapter so far.
import { rm } from 'node:fs/promises'
import { Qwen3Error } from '../errors.ts'
import type { NativeTrainer } from '../native.ts'
import { call } from '../native.ts'

export interface Words {
  /** Steps that were taken. */
  step: number
  /** Of the best state so far: its score on the dev set and when it was reached. */
  best: { score: number; step: number } | null
  /** What the training is of: states of another one are refused. */
  identity: Readonly<Record<string, string>>
}

export class Journal {
  readonly best: string
  readonly #states: readonly [string, string]
  readonly #trainer: NativeTrainer
  readonly #identity: Readonly<Record<string, string>>
  #next = 0

  constructor(trainer: NativeTrainer, output: string, identity: Readonly<Record<string, string>>) {
    this.#trainer = trainer
    this.#identity = identity
    this.best = `${output}.best`
    this.#states = [`${output}.state-a`, `${output}.state-b`]
  }

  /** The newest state that is whole, read back into the trainer; undefined: there is none. */
  async resume(): Promise<Words | undefined> {
    const found: { path: string; words: Words; turn: number }[] = []
    for (const [turn, path] of this.#states.entries()) {
      const words = await this.#read(path)
      if (words) found.push({ path, words, turn })
    }
    const newest = found.sort((a, b) => b.words.step - a.words.step)[0]
    if (!newest) return undefined
    for (const [name, value] of Object.entries(this.#identity)) {
      if (newest.words.identity[name] === value) continue
      throw new Qwen3Error(
        'ERR_MODEL_CHANGED',
        `${newest.path} is of a training with other ${name}: ${newest.words.identity[name]}, not ${value}`,
        { path: newest.path, differs: name },
        {
          remedy:
            'Give back what it was begun with, choose another output, or start anew with restart.',
        },
      )
    }
    await call(this.#trainer.readState(newest.path))
    this.#next = 1 - newest.turn
    return newest.words
  }

  async save(words: Omit<Words, 'identity'>): Promise<void> {
    const text = JSON.stringify({ ...words, identity: this.#identity })
    await call(this.#trainer.writeState(this.#states[this.#next]!, text))
    this.#next = 1 - this.#next
  }

  async clear(): Promise<void> {
    for (const path of [...this.#states, this.best]) await rm(path, { force: true })
  }

  /** Undefined where there is no file, or half of one: then the other state is older and whole. */
  async #read(path: string): Promise<Words | undefined> {
    try {
      return JSON.parse(await call(this.#trainer.stateWords(path))) as Words
    } catch (error) {
      if (error instanceof Qwen3Error && error.code === 'ERR_MODEL_INVALID') return undefined
      throw error
    }
  }
}
