// The index file and what is kept of it in memory. One thread owns it; every call is done when it returns.
import { inflateRawSync } from 'node:zlib'
import { type Database, scan } from '../../database.ts'
import { Qwen3Error } from '../../index.ts'
import type { Entry, ReadFile, Root, Rules, SameFile, Wanted } from '../types.ts'
import { absent, codesOf } from './codes.ts'
import { Memory, type Space } from './memory.ts'
import { openStore } from './schema.ts'

export interface SpaceSettings {
  readonly model: string
  readonly fingerprint: string
  readonly width: number
  /** Whatever else decides a vector. */
  readonly settings: string
  readonly role: 'main' | 'stand-in'
}

/** Texts of one file that have no vector yet. */
export interface PendingFile {
  readonly file: number
  /** Of its bytes, in hex: if it changed meanwhile, its vectors are not wanted. */
  readonly hash: string
  readonly chunks: readonly number[]
  readonly inputs: readonly string[]
}

export interface FilledFile {
  readonly file: number
  readonly hash: string
  readonly chunks: readonly number[]
  /** (chunks, width) */
  readonly vectors: Float32Array
}

export interface WalkEnd {
  /** Files that are there no more and were taken out. */
  readonly removed: number
  /** So many were missing that they were kept: more than half of the root. */
  readonly kept: number
}

/** Below this many, a folder may lose most of its files without a question. */
const fewFiles = 20

export class Store {
  readonly database: Database
  readonly memory: Memory
  readonly path: string
  readonly #seen = new Map<number, Set<string>>()

  constructor(path: string, access: 'read' | 'write' | 'create') {
    this.database = openStore(path, access).database
    this.path = path
    this.memory = new Memory(this.database)
  }

  close(): void {
    this.database.close()
  }

  /** What is read in it is of one moment, and the memory is of that moment too. */
  reading<T>(work: () => T): T {
    return this.database.transaction('deferred', () => {
      this.memory.refresh()
      return work()
    })
  }

  /** All of it or nothing, with a generation of its own. */
  writing<T>(work: (generation: number) => T): T {
    const result = this.database.transaction('immediate', () => {
      this.memory.refresh()
      const generation = this.memory.generation + 1
      this.database.rows("UPDATE meta SET value = ? WHERE key = 'generation'", generation)
      return work(generation)
    })
    // Not before it is committed: what is rolled back must not be remembered.
    this.reading(() => {})
    return result
  }

  // ---- facts of the index as a whole ----

  meta(key: string): string | undefined {
    const row = this.database.row<[string]>('SELECT value FROM meta WHERE key = ?', key)
    return row === undefined ? undefined : `${row[0]}`
  }

  setMeta(key: string, value: string): void {
    this.writing(() => this.database.rows('INSERT OR REPLACE INTO meta VALUES (?, ?)', key, value))
  }

  roots(): Root[] {
    const rows = this.database.rows<[number, string, string, number]>(
      'SELECT id, path, rules, walked FROM root ORDER BY path',
    )
    return rows.map(([id, path, rules, walked]) => ({ id, path, rules: JSON.parse(rules), walked }))
  }

  addRoot(path: string, rules: Rules): number {
    return this.writing(() => {
      const text = JSON.stringify(rules)
      this.database.rows(
        'INSERT INTO root(path, rules, walked) VALUES (?, ?, 0) ON CONFLICT(path) DO UPDATE SET rules = ?',
        ...[path, text, text],
      )
      return this.database.row<[number]>('SELECT id FROM root WHERE path = ?', path)![0]
    })
  }

  removeRoot(path: string): boolean {
    const root = this.roots().find((one) => one.path === path)
    if (!root) return false
    const ids = this.database.rows<[number]>('SELECT id FROM file WHERE root = ?', root.id)
    for (let i = 0; i < ids.length; i += 256)
      this.writing((generation) => {
        for (const [id] of ids.slice(i, i + 256)) this.#remove(id, generation)
      })
    this.writing(() => this.database.rows('DELETE FROM root WHERE id = ?', root.id))
    return true
  }

  // ---- bringing it up to date ----

  /** The next walk finds all files changed. */
  readAllAnew(): void {
    this.writing(() => this.database.execute("UPDATE file SET mtime = -1, hash = x''"))
  }

  beginWalk(root: number): void {
    this.#seen.set(root, new Set())
  }

  /** Those of the entries that are not as they were. */
  compare(root: number, entries: readonly Entry[]): Wanted[] {
    const seen = this.#seen.get(root)!
    return entries.flatMap((entry) => {
      seen.add(entry.path)
      const row = this.database.row<[number, number, number, Uint8Array | null]>(
        'SELECT size, mtime, inode, hash FROM file WHERE root = ? AND path = ?',
        ...[root, entry.path],
      )
      if (row?.[0] === entry.size && row[1] === entry.mtime && row[2] === entry.inode) return []
      const hash = row?.[3]?.length ? Buffer.from(row[3]).toString('hex') : undefined
      return [{ ...entry, root, hash }]
    })
  }

  /**
   * Takes out what the walk did not see.
   *
   * @param unread folders that could not be listed: whatever was in them stays
   */
  endWalk(root: number, unread: readonly string[], takeOutMost: boolean): WalkEnd {
    const seen = this.#seen.get(root)!
    this.#seen.delete(root)
    const files = this.database.rows<[number, string]>(
      'SELECT id, path FROM file WHERE root = ?',
      root,
    )
    const isUnread = (path: string) => unread.some((folder) => path.startsWith(`${folder}/`))
    const missing = files.filter(([, path]) => !seen.has(path) && !isUnread(path))
    if (!takeOutMost && missing.length > fewFiles && missing.length > files.length / 2)
      return { removed: 0, kept: missing.length }
    for (let i = 0; i < missing.length; i += 256)
      this.writing((generation) => {
        for (const [id] of missing.slice(i, i + 256)) this.#remove(id, generation)
      })
    this.database.rows('UPDATE root SET walked = ? WHERE id = ?', Date.now(), root)
    return { removed: missing.length, kept: 0 }
  }

  /** Files that were read, all of them or none. */
  put(files: readonly (ReadFile | SameFile)[]): void {
    this.writing((generation) => {
      const count = files.reduce(
        (n, file) => n + (file.state === 'same' ? 0 : file.chunks.length),
        0,
      )
      const ids = this.memory.unusedIds(count)
      for (const file of files) {
        if (file.state === 'same') this.#touch(file)
        else this.#put(file, ids.splice(0, file.chunks.length), generation)
      }
    })
  }

  remove(root: number, path: string): boolean {
    const row = this.#idOf(root, path)
    if (row === undefined) return false
    this.writing((generation) => this.#remove(row, generation))
    return true
  }

  // ---- vectors ----

  /** The space of these settings; made, and the one in its place before it set aside, if there is none. */
  ensureSpace({ model, fingerprint, width, settings, role }: SpaceSettings): number {
    const known = this.database.row<[number, string]>(
      'SELECT id, role FROM space WHERE fingerprint = ? AND dimensions = ? AND settings = ?',
      ...[fingerprint, width, settings],
    )
    if (known && (known[1] === role || role === 'stand-in')) return known[0]
    return this.writing(() => {
      this.database.rows("UPDATE space SET role = 'leaving' WHERE role = ?", role)
      if (known) {
        this.database.rows(
          'UPDATE space SET role = ?, model = ? WHERE id = ?',
          role,
          model,
          known[0],
        )
        return known[0]
      }
      return this.database.insert(
        'INSERT INTO space(model, fingerprint, dimensions, settings, role) VALUES (?, ?, ?, ?, ?)',
        ...[model, fingerprint, width, settings, role],
      )
    })
  }

  spaces(): (SpaceSettings & { id: number; isMeasured: boolean })[] {
    return this.reading(() =>
      [...this.memory.spaces.values()].map((space) => ({
        ...{ id: space.id, model: space.model, fingerprint: space.fingerprint },
        ...{ width: space.width, settings: space.settings, isMeasured: space.floor !== null },
        role: space.role as SpaceSettings['role'],
      })),
    )
  }

  /** Spaces that nothing needs any more, once the main one is complete. */
  dropLeaving(): void {
    const leaving = this.database.rows<[number]>("SELECT id FROM space WHERE role = 'leaving'")
    for (const [id] of leaving)
      this.writing(() => {
        this.database.rows('DELETE FROM vec WHERE space = ?', id)
        this.database.rows('DELETE FROM probe WHERE space = ?', id)
        this.database.rows('DELETE FROM space WHERE id = ?', id)
      })
  }

  /** What was measured of a space, once it is filled. */
  setMeasures(space: number, { floor, weight }: { floor: number; weight: number | null }): void {
    this.writing(() =>
      this.database.rows(
        'UPDATE space SET floor = ?, weight = ? WHERE id = ?',
        ...[floor, weight, space],
      ),
    )
  }

  /** Of each question with all passages. */
  bestCosines(space: number, questions: readonly Float32Array[]): number[] {
    return this.reading(() => {
      const { codes, scales, width } = this.memory.spaces.get(space)!
      const cosines = new Float32Array(this.memory.places)
      return questions.map((question) => {
        scan(codes, scales, width, codesOf(question), cosines)
        // No vector, no cosine: NaN.
        return cosines.reduce((most, one) => (Number.isNaN(one) ? most : Math.max(most, one)), -1)
      })
    })
  }

  /** Files that lack vectors, those changed last first. */
  pendingFiles(space: number): { files: number[]; chunks: number } {
    return this.reading(() => {
      const { scales } = this.memory.spaces.get(space)!
      let chunks = 0
      const files = [...this.memory.files.values()].filter((file) => {
        const missing = file.chunks.reduce((n, id) => n + (Number.isNaN(scales[id]!) ? 1 : 0), 0)
        chunks += missing
        return missing > 0
      })
      files.sort((a, b) => b.date - a.date || a.id - b.id)
      return { files: files.map(({ id }) => id), chunks }
    })
  }

  pendingTexts(space: number, file: number): PendingFile | undefined {
    return this.reading(() => {
      const known = this.memory.files.get(file)
      const row = this.database.row<[Uint8Array, Uint8Array]>(
        'SELECT hash, text FROM file WHERE id = ?',
        file,
      )
      if (!known || !row) return undefined
      const { scales } = this.memory.spaces.get(space)!
      const text = textOf(row[1])
      const rows = this.database.rows<[number, number, number, string]>(
        'SELECT id, start, stop, head FROM chunk WHERE file = ? ORDER BY start, id',
        file,
      )
      const missing = rows.filter(([id]) => Number.isNaN(scales[id]!))
      return {
        file,
        hash: Buffer.from(row[0]).toString('hex'),
        chunks: missing.map(([id]) => id),
        inputs: missing.map(([, start, stop, head]) => inputOf(head, text.slice(start, stop))),
      }
    })
  }

  putVectors(space: number, filled: readonly FilledFile[]): void {
    this.writing((generation) => {
      for (const one of filled) this.#putVectors(this.memory.spaces.get(space)!, one, generation)
    })
  }

  // ---- within a transaction ----

  #idOf(root: number, path: string): number | undefined {
    return this.database.row<[number]>(
      'SELECT id FROM file WHERE root = ? AND path = ?',
      ...[root, path],
    )?.[0]
  }

  #touch({ wanted: { root, path, size, mtime, inode } }: SameFile): void {
    // A file that failed in between is what it was again.
    this.database.rows(
      `UPDATE file SET size = ?, mtime = ?, inode = ?, why = iif(state = 'failed', '', why),
       state = iif(state = 'failed', 'ok', state) WHERE root = ? AND path = ?`,
      ...[size, mtime, inode, root, path],
    )
  }

  #put(file: ReadFile, ids: readonly number[], generation: number): void {
    const { root, path, size, mtime, inode } = file.wanted
    const known = this.#idOf(root, path)
    // What was readable before and is not now is still found as it was, and says why it is old.
    if (known !== undefined && file.state === 'failed') {
      this.database.rows(
        'UPDATE file SET size = ?, mtime = ?, inode = ?, why = ?, state = ? WHERE id = ?',
        ...[size, mtime, inode, file.why, 'failed', known],
      )
      return
    }
    const reused = this.#knownVectors(file)
    if (known !== undefined) this.#removeChunks(known)
    this.database.rows(
      `INSERT INTO file(root, path, size, mtime, inode, hash, kind, title, date, state, why, text, generation)
       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
       ON CONFLICT(root, path) DO UPDATE SET size = ?3, mtime = ?4, inode = ?5, hash = ?6, kind = ?7, title = ?8,
       date = ?9, state = ?10, why = ?11, text = ?12, generation = ?13`,
      ...[root, path, size, mtime, inode, Buffer.from(file.hash, 'hex'), file.kind, file.title],
      ...[file.date, file.state, file.why, file.text, generation],
    )
    const id = known ?? this.#idOf(root, path)!
    this.database.rows('DELETE FROM gone WHERE file = ?', id)
    for (const [i, chunk] of file.chunks.entries()) {
      this.database.rows(
        'INSERT INTO chunk VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
        ...[ids[i]!, id, chunk.start, chunk.stop, chunk.line, chunk.page, chunk.head, chunk.hash],
        chunk.words,
      )
      this.database.rows(
        'INSERT INTO lex(rowid, head, body) VALUES (?, ?, ?)',
        ...[ids[i]!, chunk.headWords, chunk.bodyWords],
      )
    }
    for (const [space, { codes, scales, missing }] of reused)
      this.#writeVec(space, id, codes, scales, missing)
  }

  /** For chunks whose very text the index has a vector of, by space. */
  #knownVectors({ chunks }: ReadFile) {
    const twins = chunks.map(
      ({ hash }) =>
        this.database.row<[number]>('SELECT id FROM chunk WHERE hash = ? LIMIT 1', hash)?.[0],
    )
    const found = new Map<number, { codes: Int8Array; scales: Float32Array; missing: number }>()
    if (twins.every((twin) => twin === undefined)) return found
    for (const space of this.memory.spaces.values()) {
      const codes = new Int8Array(chunks.length * space.width)
      const scales = new Float32Array(chunks.length).fill(absent)
      let missing = 0
      for (const [i, twin] of twins.entries()) {
        if (twin === undefined || Number.isNaN(space.scales[twin]!)) missing++
        else {
          codes.set(
            space.codes.subarray(twin * space.width, (twin + 1) * space.width),
            i * space.width,
          )
          scales[i] = space.scales[twin]!
        }
      }
      if (missing < chunks.length) found.set(space.id, { codes, scales, missing })
    }
    return found
  }

  #putVectors(space: Space, { file, hash, chunks, vectors }: FilledFile, generation: number): void {
    const known = this.memory.files.get(file)
    const row = this.database.row<[Uint8Array]>('SELECT hash FROM file WHERE id = ?', file)
    if (!known || !row || Buffer.from(row[0]).toString('hex') !== hash) return
    const { width } = space
    const fresh = new Map(chunks.map((chunk, i) => [chunk, i]))
    const codes = new Int8Array(known.chunks.length * width)
    const scales = new Float32Array(known.chunks.length).fill(absent)
    let missing = 0
    for (const [place, chunk] of known.chunks.entries()) {
      const i = fresh.get(chunk)
      if (i !== undefined) {
        const made = codesOf(vectors.subarray(i * width, (i + 1) * width))
        codes.set(made.codes, place * width)
        scales[place] = made.scale
      } else if (Number.isNaN(space.scales[chunk]!)) missing++
      else {
        codes.set(space.codes.subarray(chunk * width, (chunk + 1) * width), place * width)
        scales[place] = space.scales[chunk]!
      }
    }
    this.#writeVec(space.id, file, codes, scales, missing)
    this.database.rows('UPDATE file SET generation = ? WHERE id = ?', generation, file)
  }

  #writeVec(space: number, file: number, codes: Int8Array, scales: Float32Array, missing: number) {
    this.database.rows(
      'INSERT OR REPLACE INTO vec(space, file, missing, codes, scales) VALUES (?, ?, ?, ?, ?)',
      ...[space, file, missing, bytesOf(codes), bytesOf(scales)],
    )
  }

  #remove(id: number, generation: number): void {
    this.#removeChunks(id)
    this.database.rows('DELETE FROM file WHERE id = ?', id)
    this.database.rows('INSERT OR REPLACE INTO gone VALUES (?, ?)', id, generation)
  }

  #removeChunks(file: number): void {
    this.database.rows('DELETE FROM lex WHERE rowid IN (SELECT id FROM chunk WHERE file = ?)', file)
    this.database.rows('DELETE FROM chunk WHERE file = ?', file)
    this.database.rows('DELETE FROM vec WHERE file = ?', file)
  }
}

export function inputOf(head: string, text: string): string {
  return head === '' ? text : `${head}\n${text}`
}

export function textOf(deflated: Uint8Array): string {
  try {
    return inflateRawSync(deflated).toString('utf8')
  } catch (cause) {
    throw new Qwen3Error(
      'ERR_INDEX_DAMAGED',
      'The text of a file in the index is damaged.',
      {},
      { cause },
    )
  }
}

function bytesOf(array: Int8Array | Float32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}
