// Queries by a language model: for each passage the nearest personas, one call that chooses how is asked, one that asks.
import { createHash } from 'node:crypto'
import type { Embedder, OnProgress } from '../../index.ts'
import { corpusOf, type NearOptions, nearest } from '../../pairs/near.ts'
import { randomOf } from '../../pairs/random.ts'
import { Meter } from '../../progress.ts'
import type { SynthRow } from '../row.ts'
import { ask, type Endpoint } from './endpoint.ts'
import { isQuery } from './form.ts'
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
  endpoint: Endpoint
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
  journal: Journal
}

/** Personas that are offered for a passage. */
const offered = 5

export async function generate(
  passages: readonly Passage[],
  embedder: Embedder,
  options: GenerateOptions,
): Promise<Generated> {
  const { endpoint, personas, signal } = options
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
    const count = Math.min(endpoint.concurrency ?? 8, passages.length)
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
  const { endpoint, language, perPassage, seed } = options
  const made: Made = { passage: passage.id, queries: [], formless: 0 }
  for (let turn = 0; turn < perPassage; turn++) {
    const seedOf = (name: string) => seedFor(seed, passage, `${turn} ${name}`)
    const random = randomOf(seedOf('draw'))
    const configuration =
      options.configuration === 'asked'
        ? await answerOf(configurationCall(passage.text, characters), (value) =>
            isConfiguration(value, characters),
          )
        : drawn(characters, random)
    if (!configuration) {
      made.formless++
      continue
    }
    const [low, high] = configuration.question_type === 'keywords' ? [2, 6] : [5, 25]
    const words = low! + Math.floor(random() * (high! - low! + 1))
    const call = queryCall(passage.text, { ...configuration, words, language })
    const prompt = call.messages.map(({ content }) => content.replace(passage.text, '')).join('\n')
    const answer = await answerOf(call, isAnswer)
    if (!answer || !isQuery(answer.query, passage.text, prompt)) {
      made.formless++
      continue
    }
    made.queries.push({
      query: answer.query.replace(/\s+/g, ' ').trim(),
      source: {
        generator: endpoint.model,
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
      asked: Call,
      fits: (value: unknown) => value is Answer,
    ): Promise<Answer | undefined> {
      for (let attempt = 0; attempt < 2; attempt++) {
        const text = await ask(endpoint, asked, seedOf(`${asked.name} ${attempt}`), signal)
        const value = parsed(text)
        if (fits(value)) return value
      }
      return undefined
    }
  }
  return made
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
  const { endpoint, personas, configuration, language, perPassage, seed } = options
  const { url, model, temperature = null } = endpoint
  return {
    ...{ url, model, temperature, personas, configuration, language: language ?? null },
    ...{ perPassage, seed, prompts: promptsVersion, embedder: embedder.info.fingerprint },
    passages: passages.map(({ id, text }) => [id, text]),
  }
}
