// Search over an index: what is asked of it over HTTP. Names of files are told below their folders, never whole paths.
import { Qwen3Error } from '../errors.ts'
import type { Progress } from '../index.ts'
import { type Hit, type Index, kinds, type Report } from '../search/index.ts'
import { answer, array, count, flag, nullable, number, object, text } from './answers.ts'
import { type Context, get, post, type Route } from './context.ts'
import { type HttpResponse, json } from './http/messages.ts'
import { RequestError } from './request-error.ts'
import {
  body,
  boolean,
  choice,
  integer,
  list,
  optional,
  required,
  string,
  type Values,
} from './schema.ts'

const mostHits = 100
const mostAround = 20_000

const searchBody = body('SearchRequest', {
  query: required(string, 'A question. "A phrase" must occur, -word must not.'),
  limit: optional(integer(1, mostHits), 'Passages at most. Default: 10.'),
  per_file: optional(integer(1, mostHits), 'Passages of one file at most. Default: 3.'),
  in: optional(list(string), 'Globs of file names; any of them.'),
  types: optional(list(choice(...kinds)), 'Kinds of files; any of them.'),
  since: optional(string, 'Files of that day or later: 2026-01-31.'),
  instruction: optional(string, 'What the question is for, in English.'),
  by: optional(choice('both', 'words', 'meaning'), 'What counts. Default: both.'),
  rerank: optional(boolean, 'Let the reranker of the index put the best in order.'),
})

async function search(
  context: Context,
  values: Values<typeof searchBody.fields>,
): Promise<HttpResponse> {
  const {
    query,
    limit,
    per_file: perFile,
    in: inside,
    types,
    since,
    instruction,
    by,
    rerank,
  } = values
  if (query.trim() === '')
    throw new RequestError('empty', 'Expected a question', { param: 'query' })
  context.usage.texts = 1
  context.usage.characters = query.length
  const alpha = by === 'words' ? 0 : by === 'meaning' ? 1 : undefined
  const found = await told(() =>
    indexOf(context).search(query, {
      ...{ limit, perFile, in: inside, types, instruction, alpha, signal: context.signal },
      since: since === undefined ? undefined : timeOf(since),
      rerank: rerank ?? false,
      // A page asks while somebody types: what is slow to load answers the next time.
      wait: false,
    }),
  )
  context.server.metrics.recordSearch(found.took)
  return json({ ...found, hits: found.hits.map(shown) })
}

function shown({ path: _, also, date, ...hit }: Hit): object {
  return { ...hit, date: new Date(date).toISOString(), also: also ?? [] }
}

function timeOf(since: string): number {
  const time = Date.parse(since)
  if (Number.isNaN(time))
    throw new RequestError('invalid', 'Expected a date such as 2026-01-31 for since', {
      param: 'since',
    })
  return time
}

async function passage(context: Context): Promise<HttpResponse> {
  const around = Number(context.search.get('around') ?? 0)
  if (!Number.isInteger(around) || around < 0 || around > mostAround)
    throw new RequestError('invalid', `Expected around to be an integer from 0 to ${mostAround}`, {
      param: 'around',
    })
  const { path: _, ...found } = await told(() =>
    indexOf(context).passage(context.param, { around }),
  )
  return json(found)
}

/** What is going on in an index of this process. */
interface Updating {
  progress: Progress | undefined
  report: Report | undefined
  problem: string
  running: Promise<void> | undefined
}

const updates = new WeakMap<Index, Updating>()

function updatingOf(index: Index): Updating {
  const known = updates.get(index)
  if (known) return known
  const made: Updating = { progress: undefined, report: undefined, problem: '', running: undefined }
  updates.set(index, made)
  return made
}

/** What /metrics shows of an index; nothing while it cannot be read. */
export async function gaugesOf(index: Index): Promise<Record<string, number>> {
  try {
    const { files, unreadFiles, passages, coverage, bytes } = await index.status()
    return {
      index_files: files,
      index_unread_files: unreadFiles,
      index_passages: passages,
      index_pending: Math.round(passages * (1 - coverage)),
      index_coverage: coverage,
      index_bytes: bytes,
    }
  } catch {
    // A scrape is no place to fail for it: GET /v1/index says what is wrong.
    return {}
  }
}

async function status(context: Context): Promise<HttpResponse> {
  return json(await statusOf(indexOf(context)))
}

async function statusOf(index: Index): Promise<object> {
  const {
    files,
    passages,
    kinds: by,
    coverage,
    unread,
    unreadFiles,
    roots,
    spaces,
  } = await told(() => index.status())
  const { progress, report, problem } = updatingOf(index)
  return {
    ...{ files, passages, kinds: by, coverage, unread_files: unreadFiles, reranks: index.reranks },
    unread: unread
      .slice(0, 100)
      .map(({ path, state, why }) => ({ name: below(path, roots), state, why })),
    folders: roots.map(({ path, files: n, walked }) => ({
      name: path.split('/').at(-1) ?? '',
      files: n,
      walked: walked === 0 ? null : new Date(walked).toISOString(),
    })),
    models: spaces.map(({ model, role, passages: n, dimensions }) => ({
      model,
      role,
      passages: n,
      dimensions,
    })),
    updating: progress
      ? {
          phase: progress.phase,
          done: progress.done,
          total: progress.total,
          eta: progress.eta ?? null,
        }
      : null,
    updated: report ? { read: report.read, removed: report.removed, failed: report.failed } : null,
    problem,
  }
}

function below(path: string, roots: readonly { path: string }[]): string {
  const root = roots.find((one) => path.startsWith(`${one.path}/`))
  return root ? path.slice(root.path.length + 1) : path
}

/** Begins an update, or joins the one that runs; how far it is stands in the status. */
async function update(context: Context): Promise<HttpResponse> {
  const index = indexOf(context)
  const state = updatingOf(index)
  state.running ??= index
    .update({
      onProgress: (progress) => {
        state.progress = progress
      },
    })
    .then(
      (report) => Object.assign(state, { report, problem: '' }),
      (error: Error) => Object.assign(state, { problem: error.message }),
    )
    .then(() => {
      Object.assign(state, { progress: undefined, running: undefined })
    })
  return json(await statusOf(index))
}

function indexOf({ settings }: Context): Index {
  if (!settings.index) throw new RequestError('not_found', 'This server has no index.')
  return settings.index
}

/** What the index refuses is the request's fault only where it names something. */
async function told<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof Qwen3Error && error.code === 'ERR_INDEX_NOT_FOUND')
      throw new RequestError('not_found', error.message, { cause: error })
    if (error instanceof TypeError || error instanceof RangeError)
      throw new RequestError('invalid', error.message, { cause: error })
    throw error
  }
}

const kind = { enum: [...kinds] }
const lines = { ...array(count), minItems: 2, maxItems: 2 }
const hit = object({
  id: text,
  name: text,
  kind,
  title: text,
  head: text,
  lines,
  'page?': count,
  text,
  score: number,
  'cosine?': number,
  'words?': number,
  matched: array(text),
  'relevance?': number,
  by: { enum: ['main', 'stand-in', 'words'] },
  date: text,
  also: array(text),
})
const searchAnswer = answer(
  'SearchAnswer',
  object({
    hits: array(hit),
    weak: flag,
    stale: flag,
    coverage: number,
    fingerprint: text,
    remarks: array(text),
    took: object({ embed: number, search: number, rerank: number }),
  }),
)
const statusAnswer = answer(
  'IndexStatus',
  object({
    files: count,
    passages: count,
    kinds: { type: 'object', additionalProperties: count },
    coverage: number,
    unread_files: count,
    reranks: flag,
    unread: array(object({ name: text, state: { enum: ['skipped', 'failed'] }, why: text })),
    folders: array(object({ name: text, files: count, walked: nullable(text) })),
    models: array(object({ model: text, role: text, passages: count, dimensions: count })),
    updating: nullable(object({ phase: text, done: count, total: count, eta: nullable(number) })),
    updated: nullable(object({ read: count, removed: count, failed: count })),
    problem: text,
  }),
)
const passageAnswer = answer(
  'Passage',
  object({
    id: text,
    name: text,
    kind,
    title: text,
    head: text,
    lines,
    'page?': count,
    text,
    span: lines,
  }),
)

export const fileRoutes: readonly Route[] = [
  post(
    {
      paths: ['/v1/search'],
      id: 'search',
      dialect: 'openai',
      summary: 'Passages of the indexed files that answer a question',
      answer: searchAnswer,
    },
    searchBody,
    search,
  ),
  get(
    {
      paths: ['/v1/passages/{id}'],
      id: 'passage',
      dialect: 'openai',
      summary: 'A passage that was found, with `?around=` so many characters around it',
      answer: passageAnswer,
    },
    passage,
  ),
  get(
    {
      paths: ['/v1/index'],
      id: 'indexStatus',
      dialect: 'openai',
      summary: 'What is in the index, and how far an update is',
      answer: statusAnswer,
    },
    status,
  ),
  post(
    {
      paths: ['/v1/index/update'],
      id: 'indexUpdate',
      dialect: 'openai',
      summary: 'Begins to bring the index up to date',
      answer: statusAnswer,
    },
    body('IndexUpdate', {}),
    update,
  ),
]
