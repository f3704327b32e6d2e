// Who computes for a loaded model: this process (here), or one of its own (process/engine.ts).
import { abortable, type Control, type Group, type Out, type Outcome, runJob } from './job.ts'
import {
  call,
  type NativeJobOptions,
  type NativeLoadOptions,
  type NativeModel,
  type NativeModelFacts,
  type NativeStats,
  native,
} from './native.ts'
import { Meter, reporting } from './progress.ts'

/** The process that computes for a model, where it has one. */
export interface ProcessStats {
  /** 0 while there is none: it ended, and the next one starts. */
  pid: number
  /** Resident bytes when it last answered. */
  memory: number
  /** How often it died and was started again. */
  restarts: number
}

export interface EngineStats extends NativeStats {
  process?: ProcessStats
}

export interface Engine {
  readonly facts: NativeModelFacts
  /** `shape` makes of each body what is computed, a slice at a time. */
  run(
    options: NativeJobOptions,
    groups: readonly Group[],
    shape: (text: string) => string,
    out: Out,
    control: Control,
  ): Promise<Outcome>
  stats(): EngineStats
  /** Waits for earlier calls, and gives all memory back. */
  close(): Promise<void>
}

/** Runs a load, telling how far it is; aborted by the signal, and by what `onProgress` throws. */
export function loading(
  path: string,
  { signal, onProgress }: Control,
  abort: () => void,
  start: (onFraction: ((fraction: number) => void) | undefined) => Promise<NativeModelFacts>,
): Promise<NativeModelFacts> {
  return reporting(onProgress, abort, (told) => {
    const meter = new Meter({ phase: 'load', unit: 'steps', total: 100, file: path }, told)
    const pending = start(told && ((fraction) => meter.reach(100 * fraction)))
    return signal ? abortable(pending, signal, abort) : pending
  })
}

/** In this process, on a thread of the addon's. */
export class LocalEngine implements Engine {
  readonly facts: NativeModelFacts
  readonly #model: NativeModel

  private constructor(model: NativeModel, facts: NativeModelFacts) {
    this.#model = model
    this.facts = facts
  }

  static async open(options: NativeLoadOptions, control: Control): Promise<LocalEngine> {
    const { binding, libraries } = native()
    const model = new binding.Model()
    const abort = () => model.abort()
    const facts = await loading(options.path, control, abort, (onFraction) =>
      call(model.load(options, libraries, onFraction)),
    )
    return new LocalEngine(model, facts)
  }

  run(
    options: NativeJobOptions,
    groups: readonly Group[],
    shape: (text: string) => string,
    out: Out,
    control: Control,
  ): Promise<Outcome> {
    return runJob(this.#model, options, groups, shape, out, control)
  }

  stats(): NativeStats {
    return this.#model.stats()
  }

  async close(): Promise<void> {
    await this.#model.close()
  }
}

export const noStats: NativeStats = {
  packs: 0,
  tokens: 0,
  tokensRun: 0,
  tokensKept: 0,
  keptBytes: 0,
  productsMs: 0,
  attentionMs: 0,
  restMs: 0,
  waiting: 0,
}

/** What was done by either; what is held and what waits, by the second. */
export function added(before: NativeStats, now: NativeStats): NativeStats {
  return {
    packs: before.packs + now.packs,
    tokens: before.tokens + now.tokens,
    tokensRun: before.tokensRun + now.tokensRun,
    tokensKept: before.tokensKept + now.tokensKept,
    keptBytes: now.keptBytes,
    productsMs: before.productsMs + now.productsMs,
    attentionMs: before.attentionMs + now.attentionMs,
    restMs: before.restMs + now.restMs,
    waiting: now.waiting,
  }
}
