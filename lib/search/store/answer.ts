// From scores to passages for people: each text once, neighbours joined, no file in front of all others.
import type { Hit, Kind, Request } from '../types.ts'
import { type Query, readQuery } from '../words/query.ts'
import { termsOf } from '../words/terms.ts'
import { type Candidate, candidate, candidatesOf, inOrder, Texts } from './candidates.ts'
import { byMain, byStandIn, type Scores, scoresOf } from './score.ts'
import type { Store } from './store.ts'
import { Qwen3Error } from '../../index.ts'

export interface Found {
  hits: Hit[]
  weak: boolean
  coverage: number
  fingerprint: string
}

/** A later passage of a file counts so much of the one before. */
const laterWeight = 0.5
/** Candidates looked at for each hit that is wanted. */
const spare = 4

interface Passage extends Candidate {
  /** Chunks joined to it, by their places. */
  first: number
  last: number
  end: number
  also: Set<string>
}

export function answer(store: Store, request: Request): Found {
  return store.reading(() => {
    const query = readQuery(request.query)
    const scores = scoresOf(store, query, request)
    const texts = new Texts(store)
    const candidates = candidatesOf(store, query, scores, texts)
    const passages = spread(joined(candidates, request), request)
    return {
      hits: passages.map((one) => hitOf(store, one, scores, query, texts)),
      weak: isWeak(query, scores, passages),
      ...coverageOf(store),
    }
  })
}

/** Equal texts once; neighbours as one passage while it is not too long. */
function joined(candidates: readonly Candidate[], { limit, longest }: Request): Passage[] {
  const passages: Passage[] = []
  const byHash = new Map<string, Passage>()
  for (const one of candidates) {
    const twin = byHash.get(one.hash)
    if (twin) {
      if (twin.file.id !== one.file.id) twin.also.add(one.file.path)
      continue
    }
    const beside = passages.find(
      (passage) =>
        passage.file.id === one.file.id &&
        (passage.first === one.place + 1 || passage.last === one.place - 1) &&
        Math.max(passage.end, one.stop) - Math.min(passage.start, one.start) <= longest,
    )
    if (beside) {
      const isBefore = one.place < beside.first
      const grown = isBefore
        ? { first: one.place, start: one.start, line: one.line, page: one.page }
        : { last: one.place, end: one.stop }
      Object.assign(beside, grown)
      continue
    }
    if (passages.length >= spare * limit) break
    const passage = {
      ...one,
      first: one.place,
      last: one.place,
      end: one.stop,
      also: new Set<string>(),
    }
    passages.push(passage)
    byHash.set(one.hash, passage)
  }
  return passages
}

function spread(passages: readonly Passage[], { limit, perFile }: Request): Passage[] {
  // Who wants all that one file has, wants it in its order.
  const weight = perFile < limit ? laterWeight : 1
  const counts = new Map<number, number>()
  const kept = passages.filter((passage) => {
    const earlier = counts.get(passage.file.id) ?? 0
    counts.set(passage.file.id, earlier + 1)
    passage.score *= weight ** earlier
    return earlier < perFile
  })
  return kept.sort(inOrder).slice(0, limit)
}

function hitOf(store: Store, passage: Passage, scores: Scores, query: Query, texts: Texts): Hit {
  const { id, file, start, end, line, page, head, hash, also } = passage
  const text = texts.of(file.id).slice(start, end)
  const root = rootOf(store, file.root)
  const by = scores.by[id]
  const inside = new Set(termsOf(`${head} ${text}`))
  return {
    id: `${id}-${hash.slice(0, 8)}`,
    path: pathOf(root, file.path),
    name: file.path,
    kind: file.kind as Kind,
    title: file.title,
    head,
    lines: [line, line + newlinesIn(text.trimEnd())],
    ...(page > 0 && { page }),
    text,
    score: rounded(passage.score),
    ...(by !== 0 && { cosine: rounded(scores.cosines[id]!) }),
    ...(scores.words[id]! > 0 && { words: rounded(scores.words[id]!) }),
    matched: query.terms.filter((term) => inside.has(term)),
    by: by === byMain ? 'main' : by === byStandIn ? 'stand-in' : 'words',
    date: file.date,
    ...(also.size > 0 && { also: [...also].sort() }),
  }
}

export interface PassageText {
  id: string
  path: string
  name: string
  kind: Kind
  title: string
  head: string
  lines: [number, number]
  page?: number | undefined
  text: string
  /** Where the passage itself stands in `text`. */
  span: [number, number]
}

/** A passage that was found, with so many characters around it. */
export function passageOf(store: Store, id: string, around: number): PassageText {
  return store.reading(() => {
    const [number, mark] = id.split('-')
    const place = Number(number)
    const known = Number.isInteger(place) && store.memory.owners[place]
    const one = known ? candidate(store, place, 0) : undefined
    if (!one || !mark || !one.hash.startsWith(mark))
      throw new Qwen3Error(
        'ERR_INDEX_NOT_FOUND',
        `There is no passage ${JSON.stringify(id)}.`,
        { id },
        {
          remedy: 'Its file may have changed: search again.',
        },
      )
    const whole = new Texts(store).of(one.file.id)
    const from = lineStart(whole, Math.max(0, one.start - around))
    const to = lineEnd(whole, Math.min(whole.length, one.stop + around))
    const text = whole.slice(from, to)
    const line = one.line - newlinesIn(whole.slice(from, one.start))
    const { kind, title, path } = one.file
    return {
      ...{
        id,
        path: pathOf(rootOf(store, one.file.root), path),
        name: path,
        kind: kind as Kind,
        title,
      },
      head: one.head,
      lines: [line, line + newlinesIn(text.trimEnd())],
      ...(one.page > 0 && { page: one.page }),
      text,
      span: [one.start - from, one.stop - from],
    }
  })
}

/** No passage is near in meaning, and none has what was asked for word by word. */
function isWeak(
  query: Query,
  { bestCosine, floor }: Scores,
  passages: readonly Passage[],
): boolean {
  if (passages.length === 0) return true
  if (query.phrases.length > 0 || query.identifier !== undefined) return false
  return floor !== null && bestCosine < floor
}

function coverageOf(store: Store): { coverage: number; fingerprint: string } {
  const spaces = [...store.memory.spaces.values()]
  const main = spaces.find(({ role }) => role === 'main')
  const { chunks } = store.memory
  return {
    coverage: chunks === 0 ? 1 : (main?.present ?? 0) / chunks,
    fingerprint: main?.fingerprint ?? '',
  }
}

function rootOf(store: Store, id: number): string {
  return store.database.row<[string]>('SELECT path FROM root WHERE id = ?', id)?.[0] ?? ''
}

function pathOf(root: string, name: string): string {
  return root === '' || root.endsWith('/') ? `${root}${name}` : `${root}/${name}`
}

function newlinesIn(text: string): number {
  let count = 0
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++
  return count
}

function lineStart(text: string, at: number): number {
  return at === 0 ? 0 : text.lastIndexOf('\n', at - 1) + 1
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at)
  return end < 0 ? text.length : end
}

function rounded(value: number): number {
  return Number(value.toFixed(6))
}
