// A model in a process of its own: what fails in native code there is an error here.
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Engine, type EngineStats, loading } from '../engine.ts'
import { Qwen3Error } from '../errors.ts'
import { abortable, type Control, type Group, type Out, type Outcome } from '../job.ts'
import type { NativeJobOptions, NativeLoadOptions, NativeModelFacts } from '../native.ts'
import { Meter, reporting } from '../progress.ts'
import { type CallPiece, piecesOf } from './pieces.ts'
import { errorOf, type PlainError, type RunRequest, type RunResult } from './protocol.ts'
import { type Keeping, Supervisor } from './supervisor.ts'

/** Pieces of one call that are over there at one time: the child always has the next one. */
const ahead = 4

/** One child for all loads of one file with the same options. */
const supervisors = new Map<string, Supervisor>()

/** Models that were forgotten without being closed. */
const forgotten = new FinalizationRegistry<Supervisor>((supervisor) => void supervisor.leave())

export class ProcessEngine implements Engine {
  readonly facts: NativeModelFacts
  readonly #supervisor: Supervisor
  readonly #maxQueue: number
  readonly #calls = new Set<Promise<unknown>>()
  /** Texts of calls that are not done. */
  #waiting = 0
  #isClosed = false

  private constructor(supervisor: Supervisor, facts: NativeModelFacts, maxQueue: number) {
    this.#supervisor = supervisor
    this.facts = facts
    this.#maxQueue = maxQueue
    forgotten.register(this, supervisor, this)
  }

  static async open(
    given: NativeLoadOptions,
    keeping: Keeping,
    control: Control,
  ): Promise<ProcessEngine> {
    // Whole calls are counted here; the child sees pieces of them.
    const options = { ...given, path: resolve(given.path), maxQueue: 2 ** 31 - 1 }
    const supervisor = supervisorOf(options, keeping)
    try {
      let onFraction = (_: number) => {}
      const stop = () => {
        onFraction = () => {}
      }
      const facts = await loading(options.path, control, stop, (listener) => {
        if (listener) onFraction = listener
        return supervisor.join((fraction) => onFraction(fraction))
      })
      return new ProcessEngine(supervisor, facts, given.maxQueue)
    } catch (error) {
      void supervisor.leave()
      throw error
    }
  }

  run(
    options: NativeJobOptions,
    groups: readonly Group[],
    shape: (text: string) => string,
    out: Out,
    control: Control,
  ): Promise<Outcome> {
    const call = this.#run(options, groups, shape, out, control)
    const settled = call.catch(() => {}).finally(() => this.#calls.delete(settled))
    this.#calls.add(settled)
    return call
  }

  stats(): EngineStats {
    return { ...this.#supervisor.stats(), waiting: this.#waiting }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await Promise.all(this.#calls)
    forgotten.unregister(this)
    await this.#supervisor.leave()
  }

  async #run(
    options: NativeJobOptions,
    groups: readonly Group[],
    shape: (text: string) => string,
    out: Out,
    { signal, onProgress }: Control,
  ): Promise<Outcome> {
    signal?.throwIfAborted()
    const total = groups.reduce((sum, { bodies }) => sum + bodies.length, 0)
    const places = options.onlyTokens || options.onlyText ? 0 : total
    this.#checkQueue(places)
    const [phase, unit] = options.task === 'rank' ? ['rerank', 'pairs'] : ['embed', 'texts']
    const pieces = new Pieces(this.#supervisor, options, out, total)
    const stop = () => pieces.stop()
    this.#waiting += places
    const work = reporting(onProgress, stop, (told) => {
      const meter = new Meter({ phase, unit, total }, told, 0)
      const running = pieces.run(groups, shape, told && ((done) => meter.reach(done)))
      return signal ? abortable(running, signal, stop) : running
    })
    return work.finally(() => {
      this.#waiting -= places
    })
  }

  /** As the lane of a model in this process does it. */
  #checkQueue(total: number): void {
    const waiting = this.#waiting
    if (waiting === 0 || total === 0 || waiting + total <= this.#maxQueue) return
    throw new Qwen3Error(
      'ERR_QUEUE_FULL',
      `${waiting} texts are waiting and the queue holds ${this.#maxQueue}`,
      { waiting, limit: this.#maxQueue },
      { remedy: 'Wait for earlier calls, or load with a larger maxQueue.' },
    )
  }
}

function supervisorOf(options: NativeLoadOptions, keeping: Keeping): Supervisor {
  const key = JSON.stringify([options, keeping, identityOf(options.path)])
  const known = supervisors.get(key)
  if (known) return known
  const supervisor = new Supervisor(options, keeping, () => {
    if (supervisors.get(key) === supervisor) supervisors.delete(key)
  })
  supervisors.set(key, supervisor)
  return supervisor
}

/** Which file a path means now. */
function identityOf(path: string): string {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false })
  return found ? [found.dev, found.ino, found.size, found.mtimeNs].join() : ''
}

/** One call: its pieces on their way, and its outcome growing. */
class Pieces {
  readonly #supervisor: Supervisor
  readonly #options: NativeJobOptions
  readonly #out: Out
  readonly #width: number
  readonly #outcome: Outcome
  readonly #ids = new Set<number>()
  /** By id, texts done of the pieces that run. */
  readonly #partly = new Map<number, number>()
  #done = 0
  #isStopped = false

  constructor(supervisor: Supervisor, options: NativeJobOptions, out: Out, total: number) {
    this.#supervisor = supervisor
    this.#options = options
    this.#out = out
    this.#width = total === 0 ? 0 : (out.vectors?.length ?? 0) / total
    this.#outcome = {
      tokens: new Int32Array(total),
      cut: new Int32Array(total),
      failures: new Map(),
      rows: [],
      ids: [],
      texts: [],
    }
  }

  async run(
    groups: readonly Group[],
    shape: (text: string) => string,
    onDone: ((done: number) => void) | undefined,
  ): Promise<Outcome> {
    const running = new Set<Promise<void>>()
    let fail: (reason: unknown) => void = () => {}
    const failure = new Promise<never>((_, reject) => {
      fail = (reason) => {
        this.stop()
        reject(reason)
      }
    })
    failure.catch(() => {})
    for (const piece of piecesOf(groups, shape, this.#options.pooling === 'none')) {
      if (this.#isStopped) break
      const one = this.#send(piece, onDone)
        .catch(fail)
        .finally(() => running.delete(one))
      running.add(one)
      if (running.size >= ahead) await Promise.race([failure, ...running])
      // Shaping grows with the texts: others get their turn.
      else await new Promise((next) => setImmediate(next))
    }
    await Promise.race([failure, Promise.all(running)])
    return this.#outcome
  }

  stop(): void {
    this.#isStopped = true
    this.#supervisor.drop(this.#ids)
  }

  async #send(piece: CallPiece, onDone: ((done: number) => void) | undefined): Promise<void> {
    const id = this.#supervisor.nextId()
    const request: RunRequest = {
      op: 'run',
      id,
      options: this.#options,
      groups: piece.groups,
      width: this.#width,
      isTold: onDone !== undefined,
    }
    const tell = (done: number) => {
      this.#partly.set(id, done)
      let sum = this.#done
      for (const part of this.#partly.values()) sum += part
      onDone?.(sum)
    }
    this.#ids.add(id)
    try {
      const result = await new Promise<RunResult>((resolve, reject) => {
        const onPart = onDone && tell
        this.#supervisor.submit({ request, resolve, reject, onDone: onPart })
      })
      this.#take(piece, result)
      this.#done += piece.count
    } catch (error) {
      throw error instanceof Error ? error : errorOf(error as PlainError, piece.first)
    } finally {
      this.#ids.delete(id)
      this.#partly.delete(id)
    }
  }

  #take({ first }: CallPiece, result: RunResult): void {
    const { tokens, cut, failures, rows, ids, texts } = this.#outcome
    if (result.vectors) this.#out.vectors!.set(result.vectors, first * this.#width)
    if (result.scores) this.#out.scores!.set(result.scores, first)
    tokens.set(result.tokens, first)
    cut.set(result.cut, first)
    for (const plain of result.failures) {
      const error = errorOf(plain, first) as Qwen3Error
      failures.set(error.facts.index as number, error)
    }
    // Copies: what came is a view into one whole message.
    for (const [i, row] of result.rows.entries()) rows[first + i] = new Float32Array(row)
    for (const [i, list] of result.ids.entries()) ids[first + i] = new Int32Array(list)
    for (const [i, text] of result.texts.entries()) texts[first + i] = text
  }
}
