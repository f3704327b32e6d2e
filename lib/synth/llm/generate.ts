// Queries by a language model: for each passage the nearest personas, one call that chooses how is asked, one that asks.
import { createHash } from 'node:crypto'
import { type Embedder, type OnProgress, Qwen3Error } from '../../index.ts'
import { corpusOf, type NearOptions, nearest } from '../../pairs/near.ts'
import { randomOf } from '../../pairs/random.ts'
import { Meter } from '../../progress.ts'
import type { SynthRow } from '../row.ts'
import { isQuery } from './form.ts'
import type { Generator } from './generator.ts'
import { Journal, type Made } from './journal.ts'
import type { Passage } from './passages.ts'
import {
  type Call,
  type Configuration,
  configurationCall,
  difficulties,
  promptsVersion,
  queryCall,
  questionTypes,
} from './prompts.ts'

export interface GenerateOptions extends NearOptions {
  generator: Generator
  personas: readonly string[]
  /** `sampled`: type and difficulty are drawn, which costs half the calls. */
  configuration: 'asked' | 'sampled'
  language: string | undefined
  perPassage: number
  seed: number
  /** Where it is kept what was made so far. */
  journal: string | undefined
  onProgress?: OnProgress | undefined
}

export interface Generated {
  rows: SynthRow[]
  formless: number
  /** Passages of which a call was told the beginning alone. */
  shortened: number
  journal: Journal
}

/** Personas that are offered for a passage. */
const offered = 5

export async function generate(
  passages: readonly Passage[],
  embedder: Embedder,
  options: GenerateOptions,
): Promise<Generated> {
  const { generator, personas, signal } = options
  const journal = await Journal.open(options.journal, identityOf(passages, embedder, options))
  try {
    const characters = await charactersOf(passages, embedder, options)
    const meter = new Meter(
      { phase: 'generate', unit: 'passages', total: passages.length },
      options.onProgress,
    )
    let next = 0
    let done = 0
    const stop = new AbortController()
    const stopping = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal
    // Each takes the next passage: what is asked for one does not depend on the others.
    const worker = async () => {
      while (next < passages.length) {
        stopping.throwIfAborted()
        const i = next++
        const passage = passages[i]!
        if (!journal.get(passage.id)) {
          const chosen = characters[i]!.map((n) => personas[n]!)
          await journal.add(await askedFor(passage, chosen, options, stopping))
        }
        meter.reach(++done)
      }
    }
    const count = Math.min(generator.concurrency, passages.length)
    const workers = Array.from({ length: count }, () =>
      worker().catch((error: unknown) => {
        stop.abort(error)
        throw error
      }),
    )
    const ends = await Promise.allSettled(workers)
    signal?.throwIfAborted()
    if (ends.some(({ status }) => status === 'rejected')) throw stop.signal.reason
    const made = passages.map((passage) => ({ passage, made: journal.get(passage.id)! }))
    return {
      rows: made.flatMap(({ passage, made: { queries } }) =>
        queries.map(({ query, source }) => ({
          query,
          positive: passage.text,
          positive_id: passage.id,
          source: { method: 'llm' as const, document: passage.document, ...source },
        })),
      ),
      formless: made.reduce((sum, { made: { formless } }) => sum + formless, 0),
      shortened: made.filter(({ made: { shortened } }) => shortened).length,
      journal,
    }
  } catch (error) {
    await journal.close()
    throw error
  }
}

/** (passages × offered): numbers of the nearest personas, as the user's model sees them. */
async function charactersOf(
  passages: readonly Passage[],
  embedder: Embedder,
  options: GenerateOptions,
): Promise<number[][]> {
  const { personas } = options
  const top = Math.min(offered, personas.length)
  const list = await corpusOf(embedder, personas, options)
  const texts = await corpusOf(
    embedder,
    passages.map(({ text }) => text),
    options,
  )
  const { rows } = await nearest(list, texts.vectors, top, options)
  return passages.map((_, i) => [...rows.subarray(i * top, (i + 1) * top)])
}

async function askedFor(
  passage: Passage,
  characters: readonly string[],
  options: GenerateOptions,
  signal: AbortSignal,
): Promise<Made> {
  const { generator, language, perPassage, seed } = options
  const made: Made = { passage: passage.id, queries: [], formless: 0 }
  for (let turn = 0; turn < perPassage; turn++) {
    const seedOf = (name: string) => seedFor(seed, passage, `${turn} ${name}`)
    const random = randomOf(seedOf('draw'))
    const configuration =
      options.configuration === 'asked'
        ? await answerOf(
            (text) => configurationCall(text, characters),
            (value) => isConfiguration(value, characters),
          )
        : drawn(characters, random)
    if (!configuration) {
      made.formless++
      continue
    }
    const [low, high] = configuration.question_type === 'keywords' ? [2, 6] : [5, 25]
    const words = low! + Math.floor(random() * (high! - low! + 1))
    const callOf = (text: string) => queryCall(text, { ...configuration, words, language })
    const prompt = callOf('')
      .messages.map(({ content }) => content)
      .join('\n')
    const answer = await answerOf(callOf, isAnswer)
    if (!answer || !isQuery(answer.query, passage.text, prompt)) {
      made.formless++
      continue
    }
    made.queries.push({
      query: answer.query.replace(/\s+/g, ' ').trim(),
      source: {
        generator: generator.name,
        prompts: promptsVersion,
        persona: configuration.character,
        type: configuration.question_type,
        difficulty: configuration.difficulty,
        language: language ?? null,
        seed: seedOf('query 0'),
      },
    })

    /** Asked again once, with another seed, where the answer has not the form that was asked for. */
    async function answerOf<Answer>(
      callOf: (text: string) => Call,
      fits: (value: unknown) => value is Answer,
    ): Promise<Answer | undefined> {
      for (let attempt = 0; attempt < 2; attempt++) {
        const value = parsed(await asked(callOf, attempt))
        if (fits(value)) return value
      }
      return undefined
    }

    /** With as much of the passage as there is room for. */
    async function asked(callOf: (text: string) => Call, attempt: number): Promise<string> {
      for (let { text } = passage; ; text = beginningOf(text)) {
        const call = callOf(text)
        try {
          return await generator.ask(call, seedOf(`${call.name} ${attempt}`), signal)
        } catch (error) {
          if (!isTooLong(error) || text.length < shortest) throw error
          made.shortened = true
        }
      }
    }
  }
  return made
}

/** Characters: a passage that is cut is none below this. */
const shortest = 200

const isTooLong = (error: unknown) =>
  error instanceof Qwen3Error && error.code === 'ERR_TEXT_TOO_LONG'

/** Three quarters, to the end of a word where there is one. */
function beginningOf(text: string): string {
  const part = text.slice(0, Math.floor(text.length * 0.75)).replace(/[\uD800-\uDBFF]$/, '')
  const words = part.replace(/\s+\S*$/, '')
  return words.length > part.length / 2 ? words : part
}

/** Of the call alone: a row does not depend on its neighbours. Below 2³¹, which every endpoint takes. */
function seedFor(seed: number, { id, text }: Passage, call: string): number {
  const digest = createHash('sha256')
    .update(JSON.stringify([seed, id, text, call]))
    .digest()
  return digest.readUInt32LE(0) >>> 1
}

function drawn(characters: readonly string[], random: () => number): Configuration {
  const one = <Choice>(list: readonly Choice[]) => list[Math.floor(random() * list.length)]!
  return {
    character: one(characters),
    question_type: one(Object.keys(questionTypes) as (keyof typeof questionTypes)[]),
    difficulty: one(Object.keys(difficulties) as (keyof typeof difficulties)[]),
  }
}

/** Models put their answers into fences, or think aloud before them, where an endpoint does not hold them to a form. */
function parsed(text: string): unknown {
  const body = text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

const isAnswer = (value: unknown): value is { query: string } =>
  typeof (value as { query?: unknown } | null | undefined)?.query === 'string'

function isConfiguration(value: unknown, characters: readonly string[]): value is Configuration {
  const { character, question_type, difficulty } = (value ?? {}) as Record<string, unknown>
  return (
    characters.includes(character as string) &&
    Object.hasOwn(questionTypes, question_type as string) &&
    Object.hasOwn(difficulties, difficulty as string)
  )
}

function identityOf(passages: readonly Passage[], embedder: Embedder, options: GenerateOptions) {
  const { generator, personas, configuration, language, perPassage, seed } = options
  return {
    ...{ ...generator.identity, personas, configuration, language: language ?? null },
    ...{ perPassage, seed, prompts: promptsVersion, embedder: embedder.info.fingerprint },
    passages: passages.map(({ id, text }) => [id, text]),
  }
}
