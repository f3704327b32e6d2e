// qwen3-embed search over an index: which passages, and how they are shown.
import { pathToFileURL } from 'node:url'
import {
  type Answer,
  type FoundIndex,
  type Hit,
  Index,
  type Kind,
  type SearchOptions,
} from '../search/index.ts'
import type { Arguments, Options } from './arguments.ts'
import { remark, type Session } from './command.ts'
import { indexOption, listOf } from './index/which.ts'
import { findModel, readLoadOptions } from './load.ts'
import { Misuse } from './misuse.ts'
import { print, printJson } from './print.ts'
import { oneLine, painter, plain, takesColour } from './terminal.ts'

/** Of looking for what changed, before an answer is given that may be old. */
const freshenMs = 1_000
const shownLines = 5

const kindNames: Readonly<Record<string, Kind>> = {
  md: 'markdown',
  markdown: 'markdown',
  txt: 'text',
  text: 'text',
  code: 'code',
  html: 'html',
  pdf: 'pdf',
  docx: 'word',
  word: 'word',
  csv: 'table',
  table: 'table',
  json: 'data',
  data: 'data',
  eml: 'mail',
  mail: 'mail',
}

export const searchIndexOptions: Options = {
  ...indexOption,
  in: { value: 'GLOBS', help: 'only files such as notes/**,*.md' },
  type: { value: 'KINDS', help: 'only these: md, txt, code, html, pdf, docx, csv, json, mail' },
  since: { value: 'DATE', help: 'only files of that day or later: 2026-01-31, or 7d, 3w, 6m' },
  'per-file': { value: 'N', help: 'passages of one file at most; default: 3' },
  alpha: { value: 'A', help: 'weight of the meaning, from 0 (words alone) to 1; default: 0.5' },
  rerank: { help: 'let a reranker put the best in order' },
  reranker: { value: 'NAME', help: 'which one; default: qwen3-reranker-0.6b' },
  patience: { value: 'SECONDS', help: 'time for it; default: 1.5' },
  files: { help: 'print the paths of the files alone' },
  explain: { help: 'print how each score came about' },
  wait: { help: 'wait until the index is up to date and the model is loaded' },
  'no-update': { help: 'do not look for what changed' },
  eval: { value: 'FOLDER', help: 'judge the index by queries.jsonl and qrels in FOLDER' },
}

export async function searchIndex(
  query: string,
  found: FoundIndex,
  args: Arguments,
  session: Session,
): Promise<boolean> {
  const options = readOptions(args)
  const model = args.text('model')
  const index = await openIndex(found, options, args, session)
  try {
    const isFresh = args.has('no-update')
      ? undefined
      : await freshened(index, args.has('wait'), session)
    const wait = args.has('wait') || model !== undefined
    const answer = await index.search(query, { ...options, wait, signal: session.signal })
    if (isFresh === false) answer.stale = true
    await show(answer, args, session)
    return answer.hits.length > 0
  } finally {
    await index.close()
  }
}

export async function openIndex(
  found: FoundIndex,
  options: SearchOptions,
  args: Arguments,
  session: Session,
): Promise<Index> {
  const model = args.text('model')
  return Index.open(found.path, {
    create: false,
    ...(model !== undefined && {
      embedder: (await findModel(model, session)).bundled ? 'mini' : model,
    }),
    ...(options.rerank && { reranker: args.text('reranker') ?? 'qwen3-reranker-0.6b' }),
    load: readLoadOptions(args),
  })
}

/** Takes in what changed, as far as there is time. @returns whether that was all */
export async function freshened(index: Index, wait: boolean, session: Session): Promise<boolean> {
  const time = wait
    ? session.signal
    : AbortSignal.any([session.signal, AbortSignal.timeout(freshenMs)])
  try {
    await index.update({ signal: time, wait })
    return true
  } catch {
    session.signal.throwIfAborted()
    // Somebody else is at it, or there is more to do than there was time for, or its folder is read-only.
    return false
  }
}

export function readOptions(args: Arguments): SearchOptions {
  const patience = args.number('patience', 0.001, 600)
  const instruction = args.text('instruction')
  const inside = listOf(args.text('in'))
  const types = listOf(args.text('type'))?.map(kindOf)
  const since = args.text('since')
  const alpha = args.number('alpha', 0, 1)
  return {
    limit: args.integer('top', 1, 1_000) ?? 10,
    perFile: args.integer('per-file', 1, 1_000) ?? 3,
    rerank: args.has('rerank') || args.text('reranker') !== undefined,
    ...(alpha !== undefined && { alpha }),
    ...(patience !== undefined && { patience: 1000 * patience }),
    ...(instruction !== undefined && { instruction }),
    ...(inside && { in: inside }),
    ...(types && { types }),
    ...(since !== undefined && { since: timeOf(since) }),
  }
}

function kindOf(name: string): Kind {
  const kind = kindNames[name.toLowerCase()]
  if (kind === undefined)
    throw new Misuse(
      `--type takes ${Object.keys(kindNames).join(', ')}, not ${JSON.stringify(name)}`,
    )
  return kind
}

const days: Readonly<Record<string, number>> = { d: 1, w: 7, m: 30, y: 365 }

export function timeOf(text: string, now = Date.now()): number {
  const [, number, unit] = /^(\d+)([dwmy])$/.exec(text) ?? []
  if (unit !== undefined) return now - Number(number) * days[unit]! * 86_400_000
  const time = Date.parse(text)
  if (Number.isNaN(time))
    throw new Misuse(`--since takes a date such as 2026-01-31, or 7d, not ${JSON.stringify(text)}`)
  return time
}

async function show(answer: Answer, args: Arguments, session: Session): Promise<void> {
  for (const sentence of answer.remarks) remark(session, `note: ${sentence}`)
  if (answer.stale)
    remark(session, 'note: files may have changed since; --wait takes all of them in first')
  if (args.has('json')) return printJson(answer)
  if (args.has('files')) {
    const paths = [...new Set(answer.hits.map(({ path }) => path))]
    return print(paths.map((path) => `${path}\n`).join(''))
  }
  if (answer.weak)
    await print(answer.hits.length === 0 ? 'nothing matches\n' : 'nothing here matches well\n\n')
  for (const hit of answer.hits) await print(shown(hit, args.has('explain')))
}

function shown(hit: Hit, explain: boolean): string {
  const paint = painter(process.stdout)
  const place = hit.page ? `, page ${hit.page}` : `:${hit.lines[0]}`
  const where = `${paint('cyan', linked(plain(hit.path).replaceAll('\n', ' '), hit.path))}${place}`
  const lines = [
    `${where}  ${paint('dim', hit.score.toFixed(2))}`,
    ...(hit.head === '' ? [] : [`  ${paint('bold', oneLine(hit.head, 200))}`]),
    ...excerpt(hit).map((line) => `  ${marked(line, hit.matched, paint)}`),
    ...(hit.also
      ? [`  ${paint('dim', `also in ${hit.also.map((path) => oneLine(path, 200)).join(', ')}`)}`]
      : []),
    ...(explain ? [`  ${paint('dim', explained(hit))}`] : []),
  ]
  return `${lines.join('\n')}\n\n`
}

/** The lines of a passage with most of the question's words. */
export function excerpt({ text, matched }: Pick<Hit, 'text' | 'matched'>): string[] {
  const width = Math.max(40, (process.stdout.columns || 100) - 4)
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const counts = lines.map(
    (line) => matched.filter((term) => line.toLowerCase().includes(term)).length,
  )
  let best = 0
  let most = -1
  for (let from = 0; from === 0 || from + shownLines <= lines.length; from++) {
    const sum = counts.slice(from, from + shownLines).reduce((a, b) => a + b, 0)
    if (sum > most) [best, most] = [from, sum]
  }
  return lines
    .slice(best, best + shownLines)
    .map((line) => oneLine(around(line, matched, width), width))
}

/** Of a long line, the part about its first word of the question. */
function around(line: string, matched: readonly string[], width: number): string {
  if (line.length <= width) return line
  const lower = line.toLowerCase()
  const places = matched.flatMap((term) =>
    term.length < 3 || !lower.includes(term) ? [] : [lower.indexOf(term)],
  )
  const from = Math.max(0, Math.min(...places, line.length) - Math.floor(width / 3))
  return places.length === 0 || from === 0 ? line : `…${line.slice(from)}`
}

function marked(
  line: string,
  matched: readonly string[],
  paint: ReturnType<typeof painter>,
): string {
  if (!takesColour(process.stdout)) return line
  const terms = matched
    .filter((term) => term.length > 1)
    .map((term) => term.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  return terms.length === 0
    ? line
    : line.replace(new RegExp(`(?:${terms.join('|')})`, 'giu'), (word) => paint('yellow', word))
}

function explained(hit: Hit): string {
  const parts = [
    `by ${hit.by}`,
    ...(hit.cosine === undefined ? [] : [`cosine ${hit.cosine.toFixed(3)}`]),
    `bm25 ${(hit.words ?? 0).toFixed(2)}`,
    ...(hit.relevance === undefined ? [] : [`P(yes) ${hit.relevance.toFixed(3)}`]),
    `words: ${hit.matched.join(' ') || 'none'}`,
    `id ${hit.id}`,
  ]
  return parts.join(', ')
}

/** Terminals open what they are told the address of. */
function linked(text: string, path: string): string {
  if (!takesColour(process.stdout)) return text
  return `\x1b]8;;${pathToFileURL(path)}\x1b\\${text}\x1b]8;;\x1b\\`
}
