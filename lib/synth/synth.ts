// Documents to queries with their answers, and to a collection of other documents that judges what is learnt from them.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { misuse, refuseUnknown } from '../errors.ts'
import {
  defaultInstruction,
  Embedder,
  type LoadOptions,
  type OnProgress,
  Reranker,
} from '../index.ts'
import { corpusOf, type NearOptions } from '../pairs/near.ts'
import { openedOne } from '../pairs/opened.ts'
import { wrongRows } from '../pairs/rows.ts'
import { writeLines } from '../pairs/write.ts'
import { docstringPairs, codeFiles } from './docstrings.ts'
import { markdownFiles, readDocuments } from './documents.ts'
import { filterRows, heldOut } from './filter.ts'
import { type Document, headingPairs } from './headings.ts'
import { type Endpoint, endpointGenerator } from './llm/endpoint.ts'
import { generate, type Generated } from './llm/generate.ts'
import type { Generator } from './llm/generator.ts'
import { type LocalGenerator, openLocal } from './llm/local.ts'
import { passagesOf as textPassages } from './llm/passages.ts'
import { personas as ownPersonas } from './llm/personas.ts'
import { linkPairs } from './links.ts'
import { type Method, methods, type Reason, type SynthRow } from './row.ts'

export interface SynthOptions {
  /** A folder of Markdown files, one file, or texts. */
  documents: string | Iterable<Document>
  /** Embeds for the filters and the split: a name, or a loaded one, which stays open. */
  model: string | Embedder
  /** Where rows are written. @default nowhere: they are returned alone */
  output?: string | undefined
  /** A folder for the collection that is held out, in the form that `evaluate` reads. @default none is */
  heldOut?: string | undefined
  /** Part of the documents that is held out. @default 0.25 */
  part?: number | undefined
  /**
   * How queries are made: a heading asks for what stands below it, what a link says for the section it leads to, a comment
   * for the code that it describes (files of code are read then, not Markdown), or a language model asks.
   * @default 'llm' where an endpoint or a generator is given, else 'headings'
   */
  method?: Method | undefined
  /** Of `llm`: who generates, behind an OpenAI-compatible address. */
  endpoint?: Endpoint | undefined
  /** Of `llm`: who generates here, in the place of an endpoint: a GGUF of a chat model. */
  generator?: string | LocalGenerator | undefined
  /** Of `llm`: who might ask, a sentence each. @default 62 of our own */
  personas?: readonly string[] | undefined
  /**
   * Of `llm`: the model chooses persona, type and difficulty in a call of its own, or they are drawn, which costs half
   * and suits small models. @default 'asked'
   */
  configuration?: 'asked' | 'sampled' | undefined
  /** Of `llm`: the language of queries, by its English name. @default the passage's */
  language?: string | undefined
  /** Least cosine of a query and its passage; `'auto'` keeps the best 60% of the first 500. @default none */
  minCosine?: number | 'auto' | undefined
  /** The passage must be among the first so many for its query. @default not asked */
  roundTrip?: number | undefined
  /** A judge that must say yes. */
  reranker?: string | Reranker | undefined
  /** Most queries a passage. @default 2 */
  perPassage?: number | undefined
  /** @default 1 */
  seed?: number | undefined
  instruction?: string | undefined
  load?: LoadOptions | undefined
  cacheDir?: string | undefined
  signal?: AbortSignal | undefined
  onProgress?: OnProgress | undefined
}

const known: readonly (keyof SynthOptions)[] = [
  'documents',
  'model',
  'output',
  'heldOut',
  'part',
  'method',
  'endpoint',
  'generator',
  'personas',
  'configuration',
  'language',
  'minCosine',
  'roundTrip',
  'reranker',
  'perPassage',
  'seed',
  'instruction',
  'load',
  'cacheDir',
  'signal',
  'onProgress',
]

export interface Synthesised {
  /** To learn from. */
  rows: SynthRow[]
  /** To judge by: of other documents. */
  heldOut: SynthRow[]
  documents: number
  passages: number
  dropped: Record<Reason, number>
  /** Of `llm`: passages that were too long for a call, which was told their beginning. */
  shortened: number
  minCosine: number | undefined
}

/**
 * Makes queries for passages of documents.
 *
 * @throws Qwen3Error `ERR_DATASET` where there is nothing to make them of; of `llm` `ERR_ENDPOINT` and
 * `ERR_UNAUTHORIZED`, after which the same call goes on, and `ERR_MODEL_CHANGED` where it would go on with another job;
 * `ERR_MODEL_MISMATCH` and `ERR_MODEL_UNSUPPORTED` for a generator that is no chat model;
 * as `Embedder.load`; `TypeError` and `RangeError` for wrong options; the signal's reason.
 */
export async function synth(options: SynthOptions): Promise<Synthesised> {
  refuseUnknown(options, known, 'option')
  const { part = 0.25, seed = 1, signal, load } = options
  const method = methodOf(options)
  if (!(part > 0 && part < 1))
    throw misuse(RangeError, 'a number between 0 and 1', 'the option part', part)
  const read: Document[] = []
  for await (const document of documentsOf(options.documents, method)) {
    signal?.throwIfAborted()
    read.push(document)
  }
  const opened: { close(): Promise<void> }[] = []
  let closing: Generated['journal'] | undefined
  try {
    const generator = method === 'llm' ? await generatorOf(options, opened) : undefined
    const more = { ...load, ...(signal ? { signal } : {}) }
    const embedder = await openedOne(Embedder, options.model, more, opened)
    const reranker =
      options.reranker === undefined
        ? undefined
        : await openedOne(Reranker, options.reranker, more, opened)
    const near = { ...options, instruction: options.instruction ?? defaultInstruction }
    const {
      rows: made,
      formless,
      shortened,
      journal,
    } = generator
      ? await byModel(read, embedder, generator, options, near)
      : byThemselves(read, method)
    closing = journal
    const { places, passages } = passagesOf(made)
    const corpus = await corpusOf(
      embedder,
      passages.map(({ positive }) => positive),
      near,
    )
    const { minCosine, roundTrip, perPassage = 2 } = options
    const filters = { nearQueries: 0.95, minCosine, roundTrip, perPassage, reranker }
    const filtered = await filterRows(made, embedder, corpus, places, { ...near, ...filters })
    const owners = passages.map(({ source }) => ({ document: source.document }))
    const others =
      options.heldOut === undefined
        ? new Set<string>()
        : await heldOut(
            read.map(({ id }) => id),
            owners,
            corpus,
            part,
            seed,
            near,
          )
    const rows = filtered.rows.filter(({ source }) => !others.has(source.document))
    const judging = filtered.rows.filter(({ source }) => others.has(source.document))
    if (options.output !== undefined) await writeLines(options.output, rows)
    if (options.heldOut !== undefined) await writeCollection(options.heldOut, passages, judging)
    await journal?.remove()
    return {
      rows,
      heldOut: judging,
      documents: read.length,
      passages: passages.length,
      dropped: { ...filtered.dropped, form: formless },
      shortened,
      minCosine: filtered.minCosine,
    }
  } finally {
    await closing?.close()
    await Promise.all(opened.map((model) => model.close()))
  }
}

const ofModels = ['personas', 'configuration', 'language'] as const

function methodOf(options: SynthOptions): Method {
  const { endpoint, generator, personas, configuration } = options
  const isGenerated = endpoint !== undefined || generator !== undefined
  const method = options.method ?? (isGenerated ? 'llm' : 'headings')
  if (!methods.includes(method))
    throw misuse(
      RangeError,
      methods.map((name) => `'${name}'`).join(', '),
      'the option method',
      method,
    )
  if (method === 'llm') {
    if (generator === undefined) checkEndpoint(endpoint)
    else checkGenerator(generator, endpoint)
    if (personas?.length === 0)
      throw misuse(RangeError, 'at least one sentence', 'the option personas', personas)
    if (configuration !== undefined && configuration !== 'asked' && configuration !== 'sampled')
      throw misuse(RangeError, "'asked' or 'sampled'", 'the option configuration', configuration)
    return method
  }
  for (const name of [...ofModels, 'endpoint', 'generator'] as const) {
    if (options[name] === undefined) continue
    throw misuse(
      TypeError,
      "none unless queries are made by a model (method: 'llm')",
      `the option ${name}`,
      options[name],
    )
  }
  return method
}

function checkEndpoint(endpoint: Endpoint | undefined): void {
  if (typeof endpoint?.url !== 'string' || typeof endpoint.model !== 'string')
    throw misuse(TypeError, 'an address and a model', 'the option endpoint', endpoint)
  if (!/^https?:\/\//.test(endpoint.url))
    throw misuse(RangeError, 'an http address', 'the option endpoint.url', endpoint.url)
}

function checkGenerator(generator: string | LocalGenerator, endpoint: Endpoint | undefined): void {
  if (endpoint !== undefined)
    throw misuse(TypeError, 'none beside the option generator', 'the option endpoint', endpoint)
  if (typeof generator === 'string') return
  if (typeof generator?.model !== 'string')
    throw misuse(TypeError, 'a file or its model', 'the option generator', generator)
  const names = ['model', ...Object.keys(ranges)]
  refuseUnknown(generator, names, 'member of generator')
  for (const [name, [low, high]] of Object.entries(ranges)) {
    const value = generator[name as keyof typeof ranges]
    if (value === undefined || (Number.isInteger(value) && value >= low && value <= high)) continue
    const what = `an integer from ${low} to ${high}`
    throw misuse(RangeError, what, `the option generator.${name}`, value)
  }
}

const ranges = { sequences: [1, 16], maxTokens: [512, 1_048_576], threads: [1, 512] } as const

async function generatorOf(
  { endpoint, generator, signal }: SynthOptions,
  opened: { close(): Promise<void> }[],
): Promise<Generator> {
  if (generator === undefined) return endpointGenerator(endpoint!)
  const local = await openLocal(
    typeof generator === 'string' ? { model: generator } : generator,
    signal,
  )
  opened.push(local)
  return local
}

type Making = Pick<Generated, 'rows' | 'formless' | 'shortened'> & {
  journal?: Generated['journal']
}

const lacking: Readonly<Record<string, string>> = {
  headings: 'Markdown with headings that say something',
  links: 'Markdown with links between its own sections',
  docstrings: 'code with comments that say what functions do',
}

function byThemselves(documents: readonly Document[], method: Method): Making {
  const rows =
    method === 'links'
      ? linkPairs(documents)
      : documents.flatMap(method === 'docstrings' ? docstringPairs : headingPairs)
  if (rows.length > 0) return { rows, formless: 0, shortened: 0 }
  throw wrongRows(
    `Nothing in ${documents.length} documents asks for anything: ${lacking[method]} is needed`,
    {
      documents: documents.length,
    },
  )
}

async function byModel(
  documents: readonly Document[],
  embedder: Embedder,
  generator: Generator,
  options: SynthOptions,
  near: NearOptions,
): Promise<Making> {
  const passages = documents.flatMap(textPassages)
  if (passages.length === 0) {
    throw wrongRows(`No passage of ${documents.length} documents has 20 words`, {
      documents: documents.length,
    })
  }
  const made = await generate(passages, embedder, {
    ...near,
    generator,
    personas: options.personas ?? ownPersonas,
    configuration: options.configuration ?? 'asked',
    language: options.language,
    perPassage: options.perPassage ?? 2,
    seed: options.seed ?? 1,
    journal: options.output === undefined ? undefined : `${options.output}.partial`,
  })
  if (made.rows.length > 0) return made
  await made.journal.close()
  throw wrongRows(
    `None of the ${made.formless} answers for ${passages.length} passages is a query`,
    { passages: passages.length, formless: made.formless },
  )
}

async function* documentsOf(
  given: string | Iterable<Document>,
  method: Method,
): AsyncGenerator<Document> {
  const files = method === 'docstrings' ? codeFiles : markdownFiles
  if (typeof given === 'string') yield* readDocuments(given, files)
  else yield* given
}

/** Each passage once, and where each row's stands. */
function passagesOf(rows: readonly SynthRow[]) {
  const numbers = new Map<string, number>()
  const passages: SynthRow[] = []
  const places = rows.map((row) => {
    const known = numbers.get(row.positive)
    if (known !== undefined) return known
    numbers.set(row.positive, passages.length)
    return passages.push(row) - 1
  })
  return { places, passages }
}

/** All passages are searched among, as they will be; queries are of documents that nothing is learnt from. */
async function writeCollection(
  folder: string,
  passages: readonly SynthRow[],
  rows: readonly SynthRow[],
): Promise<void> {
  await mkdir(folder, { recursive: true })
  const idOf = new Map(passages.map(({ positive, positive_id }) => [positive, positive_id]))
  await writeLines(
    join(folder, 'corpus.jsonl'),
    passages.map(({ positive, positive_id }) => ({ _id: positive_id, text: positive })),
  )
  await writeLines(
    join(folder, 'queries.jsonl'),
    rows.map(({ query, positive }, i) => ({
      _id: `q${i + 1}`,
      text: query,
      relevant: { [idOf.get(positive)!]: 1 },
    })),
  )
}
