// The chunks that may become an answer, with what has to be read of them, in the order of their scores.
import type { Store } from './store.ts'
import { textOf } from './store.ts'
import { best, type Scores } from './score.ts'
import type { Query } from '../words/query.ts'
import type { FileFacts } from './memory.ts'
import { priorsOf } from './priors.ts'

export interface Candidate {
  readonly id: number
  readonly file: FileFacts
  /** Place among the file's chunks. */
  readonly place: number
  readonly start: number
  readonly stop: number
  readonly line: number
  readonly page: number
  readonly head: string
  /** Hex. */
  readonly hash: string
  score: number
}

const depth = 200

/** Texts of files that were looked into during one search. */
export class Texts {
  readonly #store: Store
  readonly #known = new Map<number, string>()

  constructor(store: Store) {
    this.#store = store
  }

  of(file: number): string {
    const known = this.#known.get(file)
    if (known !== undefined) return known
    const row = this.#store.database.row<[Uint8Array]>('SELECT text FROM file WHERE id = ?', file)
    const text = row ? textOf(row[0]) : ''
    this.#known.set(file, text)
    return text
  }
}

export function candidatesOf(
  store: Store,
  query: Query,
  scores: Scores,
  texts: Texts,
): Candidate[] {
  const found = best(scores.total, scores.scope, depth)
    .filter((id) => scores.total[id]! > 0)
    .map((id) => candidate(store, id, scores.total[id]!))
  for (const [i, added] of priorsOf(found, query, texts).entries()) found[i]!.score = added
  return found.sort(inOrder)
}

/** The better one first; of equals, by where they stand, so that the same documents give the same answer. */
export function inOrder(a: Candidate, b: Candidate): number {
  return (
    b.score - a.score ||
    (a.file.path < b.file.path ? -1 : a.file.path > b.file.path ? 1 : a.start - b.start)
  )
}

export function candidate(store: Store, id: number, score: number): Candidate {
  const file = store.memory.files.get(store.memory.owners[id]!)!
  const [start, stop, line, page, head, hash] = store.database.row<
    [number, number, number, number, string, Uint8Array]
  >('SELECT start, stop, line, page, head, hash FROM chunk WHERE id = ?', id)!
  return {
    ...{ id, file, place: file.chunks.indexOf(id), start, stop, line, page, head, score },
    hash: Buffer.from(hash).toString('hex'),
  }
}
