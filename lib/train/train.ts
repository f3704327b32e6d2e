// THE STORY. Rows become texts as tokens; batches are planned from the seed; the trainer takes one after another; every
// epoch the dev set is asked; what was best is compared with the model as it was, and adopted only if it is better.
// Embedding models learn from examples (contrast.ts), rerankers from pairs (ranking.ts); the rest is the same.
import { copyFile, rename, rm } from 'node:fs/promises'
import { Qwen3Error } from '../errors.ts'
import { Embedder, inspect, Reranker } from '../index.ts'
import { call, type NativeTrainer, native } from '../native.ts'
import { Meter } from '../progress.ts'
import { rateAt } from './batches.ts'
import { Contrast, freezeDocuments } from './contrast.ts'
import { Journal } from './journal.ts'
import { isBetter, rankingReport, report, scoreOf, type Verdict, verdict } from './judge.ts'
import type { Lesson } from './lesson.ts'
import { type Material, prepare } from './material.ts'
import {
  dimsFor,
  readOptions,
  refuseForRerankers,
  type Settings,
  targetNames,
  type TrainOptions,
} from './options.ts'
import { Ranking } from './ranking.ts'

export interface TrainResult {
  /** The adapter's file; null where it was not adopted. */
  adapter: string | null
  /** Whether it was shown to be better; null where no dev set was given. */
  adopted: boolean | null
  steps: number
  /** Mean loss of the first and of the last tenth of the steps that this call took. */
  loss: { first: number; last: number }
  /** Rows that went through the layers, a second. */
  rowsPerSecond: number
  parameters: number
  /** What was learnt from: queries with an answer each; of a reranker, pairs. */
  examples: number
  /** Rows left out for empty texts; texts that lost their ends. */
  skipped: number
  cut: number
  dev: Verdict | null
  guard: Verdict | null
}

/** A state is written at most so often, in milliseconds. */
const saveEveryMs = 5 * 60_000

/**
 * Fine-tunes a low-rank adapter for an embedding model or a reranker, on the CPU, off the JS thread, and says whether it
 * is better.
 *
 * Killed at any moment and called again with the same options, it goes on and ends with the same file, byte for byte.
 *
 * @throws Qwen3Error `ERR_DATASET` for rows that are wrong, `ERR_MODEL_UNSUPPORTED` for what is no Qwen3,
 * `ERR_MODEL_CHANGED` where an unfinished training of this output had other data or options, `ERR_NON_FINITE` where it
 * ran away; as `Embedder.load` and `evaluate`; `TypeError` and `RangeError` for wrong options; the signal's reason.
 */
export async function train(options: TrainOptions): Promise<TrainResult> {
  const settings = readOptions(options)
  settings.signal?.throwIfAborted()
  const ranks = await isReranker(settings.model)
  if (ranks) refuseForRerankers(options)
  const kind = ranks ? Reranker : Embedder
  const model: Embedder | Reranker = await kind.load(settings.model, {
    ...settings.load,
    ...(settings.threads > 0 ? { threads: settings.threads } : {}),
    ...(settings.signal ? { signal: settings.signal } : {}),
  })
  const { path, width } = model.info
  const dims = ranks ? [width] : dimsFor(width, settings.dims)
  const { binding, libraries } = native()
  const trainer = new binding.Trainer()
  const abort = () => trainer.abort()
  settings.signal?.addEventListener('abort', abort, { once: true })
  try {
    const material = await prepare(model, settings)
    const lesson = ranks ? new Ranking(material, settings) : new Contrast(material, settings)
    const facts = await call(trainer.load(nativeOptions(path, ranks, dims, settings), libraries))
    trainer.setTexts(joined(material.tokens), endsOf(material.tokens))
    if (model instanceof Embedder && settings.sides === 'query')
      await freezeDocuments(model, trainer, material, settings)
    await model.close()
    const learningRate = settings.learningRate ?? (width < 512 ? 1e-3 : 1e-4)
    const journal = new Journal(
      trainer,
      settings.output,
      identityOf(material, facts, dims, learningRate, settings),
    )
    const run = new Run(trainer, journal, lesson, { ...settings, learningRate, dims, ranks })
    const { skipped, cut } = material.counts
    return { ...(await run.finish()), parameters: facts.parameters, skipped, cut }
  } catch (error) {
    settings.signal?.throwIfAborted()
    throw error
  } finally {
    settings.signal?.removeEventListener('abort', abort)
    await model.close()
    trainer.close()
  }
}

type RunSettings = Settings & { learningRate: number; dims: readonly number[]; ranks: boolean }

/** From the first step, or where an earlier call was stopped, to the verdict. */
class Run {
  readonly #trainer: NativeTrainer
  readonly #journal: Journal
  readonly #lesson: Lesson
  readonly #settings: RunSettings
  readonly #losses: number[] = []
  #rows = 0
  #seconds = 0

  constructor(trainer: NativeTrainer, journal: Journal, lesson: Lesson, settings: RunSettings) {
    this.#trainer = trainer
    this.#journal = journal
    this.#lesson = lesson
    this.#settings = settings
  }

  async finish(): Promise<Omit<TrainResult, 'parameters' | 'skipped' | 'cut'>> {
    const settings = this.#settings
    if (settings.restart) await this.#journal.clear()
    const before = settings.dev === undefined ? undefined : await this.#ask(settings.dev)
    const begun = await this.#journal.resume()
    const best = await this.#train(begun?.step ?? 0, begun?.best ?? null, before !== undefined)
    const dev = before && (await this.#judge(settings.dev!, before))
    const guard =
      settings.guard === undefined
        ? null
        : await this.#judge(settings.guard, await this.#ask(settings.guard))
    const adopted = dev ? isBetter(dev, best.looks) : null
    const isKept = adopted !== false || settings.keepAnyway === true
    // Copied first: a kill before the journal is cleared leaves it whole.
    if (isKept) {
      const draft = `${settings.output}.now`
      await copyFile(this.#journal.best, draft)
      await rename(draft, settings.output)
    }
    await this.#journal.clear()
    return {
      adapter: isKept ? settings.output : null,
      adopted,
      steps: best.steps,
      loss: this.#lossEnds(),
      rowsPerSecond: this.#seconds > 0 ? this.#rows / this.#seconds : 0,
      examples: this.#lesson.count,
      dev: dev ?? null,
      guard,
    }
  }

  #ask(dataset: string, adapter?: string) {
    const { ranks, dims } = this.#settings
    return ranks
      ? rankingReport(dataset, this.#settings, adapter)
      : report(dataset, this.#settings, dims, adapter)
  }

  async #judge(dataset: string, before: Awaited<ReturnType<typeof report>>): Promise<Verdict> {
    return verdict(dataset, before, await this.#ask(dataset, this.#journal.best))
  }

  async #train(from: number, best: { score: number; step: number } | null, isAsked: boolean) {
    const { signal, onProgress, dev, epochs, minutes } = this.#settings
    const steps = this.#lesson.batches.length
    const everyEpoch = Math.ceil(steps / epochs)
    const meter = new Meter({ phase: 'train', unit: 'steps', total: steps }, (at) =>
      onProgress?.({ ...at, ...this.#latest }),
    )
    const started = performance.now()
    let savedAt = started
    let step = from
    while (step < steps) {
      signal?.throwIfAborted()
      const isLate = minutes !== undefined && performance.now() - started > minutes * 60_000
      if (isLate) break
      await this.#step(step++)
      meter.add(1, step)
      const isEpoch = step % everyEpoch === 0 || step === steps
      if (isEpoch && isAsked) best = await this.#keepBest(dev!, step, best)
      if (isEpoch || performance.now() - savedAt > saveEveryMs) {
        await this.#journal.save({ step, best }).catch(unlessDiskFull)
        savedAt = performance.now()
      }
    }
    if (!isAsked || best === null) await this.#write(this.#journal.best)
    return { steps: step, looks: Math.ceil(step / everyEpoch) }
  }

  #latest: { loss?: number; norm?: number; rowsPerSecond?: number } = {}

  async #step(step: number): Promise<void> {
    const rate = rateAt(step, this.#lesson.batches.length, this.#settings.learningRate)
    const at = performance.now()
    const { loss, norm, rows } = await this.#lesson.take(this.#trainer, step, rate)
    this.#seconds += (performance.now() - at) / 1000
    this.#rows += rows
    this.#losses.push(loss)
    this.#latest = { loss, norm, rowsPerSecond: this.#rows / this.#seconds }
  }

  async #keepBest(dev: string, step: number, best: { score: number; step: number } | null) {
    const now = `${this.#settings.output}.now`
    await this.#write(now)
    const score = scoreOf(await this.#ask(dev, now))
    if (best !== null && score <= best.score) {
      await rm(now, { force: true })
      return best
    }
    await rename(now, this.#journal.best)
    return { score, step }
  }

  #write(path: string): Promise<void> {
    const { sides, instruction, dims, ranks } = this.#settings
    return call(
      this.#trainer.writeAdapter(path, [
        ['side', sides],
        ...(ranks ? [] : [['dims', dims.join(',')] as [string, string]]),
        ...(instruction === undefined ? [] : [['instruction', instruction] as [string, string]]),
      ]),
    )
  }

  #lossEnds() {
    const some = Math.max(1, Math.floor(this.#losses.length / 10))
    const mean = (values: number[]) => values.reduce((sum, x) => sum + x, 0) / values.length
    return { first: mean(this.#losses.slice(0, some)), last: mean(this.#losses.slice(-some)) }
  }
}

function nativeOptions(path: string, ranks: boolean, dims: readonly number[], settings: Settings) {
  const { threads, budget, rank, alpha, seed, layers, targets, temperature, margin } = settings
  return {
    path,
    threads,
    budget,
    ranks,
    exact: settings.precision === 'float',
    rank,
    alpha,
    seed,
    layers,
    targets: Uint8Array.from(targetNames, (name) => (targets.includes(name) ? 1 : 0)),
    temperature,
    margin,
    dims: Int32Array.from(dims),
    queryTerms: true,
    // Both sides of such a pair stay where they are.
    pairTerms: settings.sides === 'both',
    decay: 0.01,
    mostNorm: 1,
  }
}

/** Whatever the bits of a training depend on, by names that a message can use. */
function identityOf(
  { digest }: Material,
  { fingerprint }: { fingerprint: string },
  dims: readonly number[],
  learningRate: number,
  settings: Settings,
): Record<string, string> {
  const { sides, rank, alpha, targets, layers, batch, epochs, temperature, margin, bank } = settings
  const { maxTokens, precision, seed, budget, instruction = null, dev = null } = settings
  const all = { sides, rank, alpha, targets, layers, batch, epochs, temperature, margin, bank }
  const more = {
    maxTokens,
    precision,
    seed,
    budget,
    instruction,
    dev,
    dims,
    learningRate,
    version: 1,
  }
  return { model: fingerprint, data: digest, options: JSON.stringify({ ...all, ...more }) }
}

/** Whether it ranks. @throws Qwen3Error for what is no Qwen3 */
async function isReranker(model: string): Promise<boolean> {
  const { architecture, head, pooling, name } = await inspect(model)
  if (architecture === 'qwen3') return pooling === 'rank' || head === 'cls' || /rerank/i.test(name)
  throw new Qwen3Error(
    'ERR_MODEL_UNSUPPORTED',
    `Expected a model of architecture qwen3 to train but ${model} is of ${architecture}`,
    { model, architecture },
    {
      remedy:
        'Train a Qwen3-Embedding or Qwen3-Reranker file; other models run with adapters that were trained elsewhere.',
    },
  )
}

function unlessDiskFull(error: unknown): void {
  // The last good state stays, and the next save is tried.
  if (error instanceof Qwen3Error && /No space left/.test(error.message)) return
  throw error
}

function joined(texts: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(texts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const ids of texts) {
    all.set(ids, at)
    at += ids.length
  }
  return all
}

function endsOf(texts: readonly Int32Array[]): Int32Array {
  let end = 0
  return Int32Array.from(texts, ({ length }) => {
    end += length
    return end
  })
}
