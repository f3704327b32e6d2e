// What an index says of itself.
import { statSync } from 'node:fs'
import type { Kind } from '../types.ts'
import type { Store } from './store.ts'

export interface SpaceStatus {
  model: string
  fingerprint: string
  dimensions: number
  role: 'main' | 'stand-in' | 'leaving'
  /** Passages that have a vector. */
  passages: number
  /** How much meaning counts beside words, as measured on these passages; null where that was not possible. */
  weight: number | null
}

export interface RootStatus {
  path: string
  files: number
  /** Milliseconds since 1970; 0 if never. */
  walked: number
}

/** A file that is not found, or not as it is now. */
export interface Unread {
  path: string
  state: 'skipped' | 'failed'
  why: string
}

export interface Status {
  path: string
  /** Of the index file and its journal. */
  bytes: number
  files: number
  passages: number
  kinds: Partial<Record<Kind, number>>
  roots: RootStatus[]
  spaces: SpaceStatus[]
  /** Share of passages that have the main model's vector. */
  coverage: number
  /** The first thousand. */
  unread: Unread[]
  unreadFiles: number
  /** What SQLite keeps unfinished writes in: `wal`, or `delete` where the file system knows no better. */
  journal: string
  /** Of queries, where one was set. */
  instruction: string | undefined
  generation: number
}

export interface ListedFile {
  path: string
  name: string
  kind: Kind
  title: string
  state: 'ok' | 'skipped' | 'failed'
  why: string
  size: number
  date: number
  passages: number
}

const mostUnread = 1_000

export function status(store: Store): Status {
  return store.reading(() => {
    const { database, memory } = store
    const count = (sql: string) => database.row<[number]>(sql)![0]
    const spaces = [...memory.spaces.values()].map(
      ({ model, fingerprint, width, role, present, weight }): SpaceStatus => ({
        ...{ model, fingerprint, dimensions: width, passages: present, weight },
        role: role as SpaceStatus['role'],
      }),
    )
    const main = spaces.find(({ role }) => role === 'main')
    const unread = database.rows<[string, string, Unread['state'], string]>(
      `SELECT root.path, file.path, state, why FROM file JOIN root ON root.id = file.root
       WHERE state <> 'ok' ORDER BY root.path, file.path LIMIT ${mostUnread}`,
    )
    return {
      path: store.path,
      bytes: bytesOf(store.path) + bytesOf(`${store.path}-wal`),
      files: count("SELECT count(*) FROM file WHERE state = 'ok'"),
      passages: memory.chunks,
      kinds: Object.fromEntries(
        database.rows<[string, number]>(
          "SELECT kind, count(*) FROM file WHERE state = 'ok' GROUP BY kind ORDER BY 2 DESC, 1",
        ),
      ),
      roots: store.roots().map(({ id, path, walked }) => ({
        ...{ path, walked },
        files: database.row<[number]>('SELECT count(*) FROM file WHERE root = ?', id)![0],
      })),
      spaces,
      coverage: memory.chunks === 0 ? 1 : (main?.passages ?? 0) / memory.chunks,
      unread: unread.map(([root, path, state, why]) => ({ path: `${root}/${path}`, state, why })),
      unreadFiles: count("SELECT count(*) FROM file WHERE state <> 'ok'"),
      journal: database.row<[string]>('PRAGMA journal_mode')![0],
      instruction: store.meta('instruction'),
      generation: memory.generation,
    }
  })
}

export function list(store: Store): ListedFile[] {
  const rows = store.database.rows<
    [string, string, Kind, string, ListedFile['state'], string, number, number, number]
  >(
    `SELECT root.path, file.path, kind, title, state, why, size, date,
     (SELECT count(*) FROM chunk WHERE chunk.file = file.id)
     FROM file JOIN root ON root.id = file.root ORDER BY root.path, file.path`,
  )
  return rows.map(([root, name, kind, title, state, why, size, date, passages]) => ({
    ...{ path: `${root}/${name}`, name, kind, title, state, why, size, date, passages },
  }))
}

function bytesOf(path: string): number {
  try {
    return statSync(path).size
  } catch {
    return 0
  }
}
