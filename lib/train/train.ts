// THE STORY. Rows become texts as tokens; batches are planned from the seed; the trainer takes one after another; every
// epoch the dev set is asked; what was best is compared with the model as it was, and adopted only if it is better.
import { copyFile, rename, rm } from 'node:fs/promises'
import { Qwen3Error } from '../errors.ts'
import { Embedder, inspect } from '../index.ts'
import { call, type NativeTrainer, native } from '../native.ts'
import { Meter } from '../progress.ts'
import { planBatches, rateAt } from './batches.ts'
import { Journal } from './journal.ts'
import { isBetter, report, scoreOf, type Verdict, verdict } from './judge.ts'
import { type Material, prepare } from './material.ts'
import { dimsFor, readOptions, type Settings, targetNames, type TrainOptions } from './options.ts'
import { randomOf } from '../pairs/random.ts'

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
 * Fine-tunes a low-rank adapter for a model, on the CPU, off the JS thread, and says whether it is better.
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
  await refuseOthers(settings.model)
  const embedder = await Embedder.load(settings.model, {
    ...settings.load,
    ...(settings.threads > 0 ? { threads: settings.threads } : {}),
    ...(settings.signal ? { signal: settings.signal } : {}),
  })
  const { path, width } = embedder.info
  const dims = dimsFor(width, settings.dims)
  const { binding, libraries } = native()
  const trainer = new binding.Trainer()
  const abort = () => trainer.abort()
  settings.signal?.addEventListener('abort', abort, { once: true })
  try {
    const material = await prepare(embedder, settings).catch(closing(embedder))
    const facts = await call(trainer.load(nativeOptions(path, dims, settings), libraries))
    trainer.setTexts(joined(material.tokens), endsOf(material.tokens))
    if (settings.sides === 'query') await freezeDocuments(embedder, trainer, material, settings)
    await embedder.close()
    const learningRate = settings.learningRate ?? (width < 512 ? 1e-3 : 1e-4)
    const journal = new Journal(
      trainer,
      settings.output,
      identityOf(material, facts, dims, learningRate, settings),
    )
    const run = new Run(trainer, journal, material, { ...settings, learningRate, dims })
    return { ...(await run.finish()), parameters: facts.parameters }
  } catch (error) {
    settings.signal?.throwIfAborted()
    throw error
  } finally {
    settings.signal?.removeEventListener('abort', abort)
    await embedder.close()
    trainer.close()
  }
}

type RunSettings = Settings & { learningRate: number; dims: readonly number[] }

/** From the first step, or where an earlier call was stopped, to the verdict. */
class Run {
  readonly #trainer: NativeTrainer
  readonly #journal: Journal
  readonly #material: Material
  readonly #settings: RunSettings
  readonly #batches: readonly number[][]
  readonly #bank: readonly number[]
  readonly #losses: number[] = []
  #rows = 0
  #seconds = 0

  constructor(trainer: NativeTrainer, journal: Journal, material: Material, settings: RunSettings) {
    this.#trainer = trainer
    this.#journal = journal
    this.#material = material
    this.#settings = settings
    this.#batches = planBatches(material.examples, settings)
    const documents = material.documents.flatMap((text, i) => (text === '' ? [] : [i]))
    this.#bank = settings.bank > 0 ? documents : []
    const alone = material.examples.length === 1 || settings.batch === 1
    if (
      alone &&
      this.#bank.length < 2 &&
      material.examples.every(({ negatives }) => negatives.length === 0)
    ) {
      throw new Qwen3Error(
        'ERR_DATASET',
        'There is nothing to contrast: one example a batch, and no negatives',
        {},
        { remedy: 'Give more rows, a larger batch, or negatives (qwen3-embed mine).' },
      )
    }
  }

  async finish(): Promise<Omit<TrainResult, 'parameters'>> {
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
    const { skipped, cut } = this.#material.counts
    return {
      adapter: isKept ? settings.output : null,
      adopted,
      steps: best.steps,
      loss: this.#lossEnds(),
      rowsPerSecond: this.#seconds > 0 ? this.#rows / this.#seconds : 0,
      examples: this.#material.examples.length,
      skipped,
      cut,
      dev: dev ?? null,
      guard,
    }
  }

  #ask(dataset: string, adapter?: string) {
    return report(dataset, this.#settings, this.#settings.dims, adapter)
  }

  async #judge(dataset: string, before: Awaited<ReturnType<typeof report>>): Promise<Verdict> {
    return verdict(dataset, before, await this.#ask(dataset, this.#journal.best))
  }

  async #train(from: number, best: { score: number; step: number } | null, isAsked: boolean) {
    const { signal, onProgress, dev, epochs, minutes } = this.#settings
    const steps = this.#batches.length
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
    const { examples } = this.#material
    const { learningRate, bank, seed } = this.#settings
    const chosen = this.#batches[step]!.map((i) => examples[i]!)
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
    const rate = rateAt(step, this.#batches.length, learningRate)
    const at = performance.now()
    const { loss, norm, rows } = await call(
      this.#trainer.step(
        Int32Array.from(chosen, ({ query }) => query),
        Int32Array.from(documents),
        rate,
      ),
    )
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
    const { sides, instruction, dims } = this.#settings
    return call(
      this.#trainer.writeAdapter(path, [
        ['side', sides],
        ['dims', dims.join(',')],
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
async function freezeDocuments(
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

function nativeOptions(path: string, dims: readonly number[], settings: Settings) {
  const { threads, budget, rank, alpha, seed, layers, targets, temperature, margin } = settings
  return {
    path,
    threads,
    budget,
    ranks: false,
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

async function refuseOthers(model: string): Promise<void> {
  const { architecture, head, pooling, name } = await inspect(model)
  if (architecture !== 'qwen3') {
    throw new Qwen3Error(
      'ERR_MODEL_UNSUPPORTED',
      `Expected a model of architecture qwen3 to train but ${model} is of ${architecture}`,
      { model, architecture },
      {
        remedy:
          'Train a Qwen3-Embedding file; other models run with adapters that were trained elsewhere.',
      },
    )
  }
  if (pooling !== 'rank' && head !== 'cls' && !/rerank/i.test(name)) return
  throw new Qwen3Error(
    'ERR_MODEL_MISMATCH',
    `Expected an embedding model to train but ${model} is a reranker`,
    { model },
    { remedy: 'Give an embedding model.' },
  )
}

function unlessDiskFull(error: unknown): void {
  // The last good state stays, and the next save is tried.
  if (error instanceof Qwen3Error && /No space left/.test(error.message)) return
  throw error
}

const closing = (embedder: Embedder) => async (error: unknown) => {
  await embedder.close()
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
