// What every search needs of all chunks at once, by chunk id: codes, lengths, whose they are. It follows the file by
// generations: each write has one, and whatever it touched says so.
import type { Database } from '../../database.ts'
import { absent } from './codes.ts'

export interface FileFacts {
  readonly id: number
  readonly root: number
  readonly path: string
  readonly kind: string
  readonly title: string
  /** Milliseconds since 1970. */
  readonly date: number
  /** In their order. */
  readonly chunks: readonly number[]
}

export interface Space {
  readonly id: number
  readonly model: string
  readonly fingerprint: string
  readonly width: number
  readonly settings: string
  readonly role: string
  floor: number | null
  /** How much meaning counts beside words, 0 to 1, as measured; null where there was too little to measure. */
  weight: number | null
  /** (places, width) */
  codes: Int8Array
  /** (places), NaN where there is no vector */
  scales: Float32Array
  present: number
}

type FileRow = [number, number, string, string, string, number, string]
type SpaceRow = [number, string, string, number, string, number | null, number | null, string]

export class Memory {
  readonly #database: Database
  readonly files = new Map<number, FileFacts>()
  readonly spaces = new Map<number, Space>()
  /** (places): words of each chunk; 0 where there is none. */
  lengths = new Float32Array(0)
  /** (places): the file of each chunk; 0 where there is none. */
  owners = new Int32Array(0)
  /** One more than the highest chunk id. */
  places = 1
  chunks = 0
  generation = 0
  #words = 0

  constructor(database: Database) {
    this.#database = database
  }

  /** Words of a chunk in the mean. */
  get meanLength(): number {
    return this.chunks === 0 ? 1 : Math.max(1, this.#words / this.chunks)
  }

  /** Takes over what was written since; within a transaction, so that it is of one moment. */
  refresh(): void {
    const [generation] = this.#database.row<[number]>(
      "SELECT value FROM meta WHERE key = 'generation'",
    )!
    if (generation === this.generation) return
    const since = this.generation
    this.#refreshSpaces()
    const changed = this.#database.rows<FileRow>(
      'SELECT id, root, path, kind, title, date, state FROM file WHERE generation > ? ORDER BY id',
      since,
    )
    // All that goes first: what comes may have its ids.
    for (const [id] of this.#database.rows<[number]>(
      'SELECT file FROM gone WHERE generation > ?',
      since,
    ))
      this.#forget(id)
    for (const [id] of changed) this.#forget(id)
    for (const row of changed) this.#take(row)
    this.generation = generation
  }

  /** Ids for new chunks: those of removed ones first, so that memory stays as large as the index. */
  unusedIds(count: number): number[] {
    const ids: number[] = []
    if (this.chunks < this.places - 1) {
      for (let id = 1; id < this.places && ids.length < count; id++)
        if (this.owners[id] === 0) ids.push(id)
    }
    for (let id = this.places; ids.length < count; id++) ids.push(id)
    return ids
  }

  #refreshSpaces(): void {
    const rows = this.#database.rows<SpaceRow>(
      'SELECT id, model, fingerprint, dimensions, settings, floor, weight, role FROM space',
    )
    const live = new Set(rows.map(([id]) => id))
    for (const id of this.spaces.keys()) if (!live.has(id)) this.spaces.delete(id)
    for (const [id, model, fingerprint, width, settings, floor, weight, role] of rows) {
      const known = this.spaces.get(id)
      if (known) Object.assign(known, { floor, weight, role })
      else {
        const room = this.lengths.length
        this.spaces.set(id, {
          ...{ id, model, fingerprint, width, settings, floor, weight, role, present: 0 },
          codes: new Int8Array(room * width),
          scales: new Float32Array(room).fill(absent),
        })
      }
    }
  }

  #forget(id: number): void {
    const file = this.files.get(id)
    if (!file) return
    this.files.delete(id)
    for (const chunk of file.chunks) {
      this.#words -= this.lengths[chunk]!
      this.chunks--
      this.lengths[chunk] = 0
      this.owners[chunk] = 0
      for (const space of this.spaces.values()) {
        if (!Number.isNaN(space.scales[chunk]!)) space.present--
        space.scales[chunk] = absent
      }
    }
  }

  #take([id, root, path, kind, title, date, state]: FileRow): void {
    if (state === 'skipped') return
    const rows = this.#database.rows<[number, number]>(
      'SELECT id, words FROM chunk WHERE file = ? ORDER BY start, id',
      id,
    )
    if (rows.length === 0) return
    const chunks = rows.map(([chunk]) => chunk)
    this.#makeRoom(chunks.reduce((most, chunk) => Math.max(most, chunk), 0) + 1)
    for (const [chunk, words] of rows) {
      this.lengths[chunk] = words
      this.owners[chunk] = id
      this.#words += words
      this.chunks++
    }
    this.files.set(id, { id, root, path, kind, title, date, chunks })
    for (const space of this.spaces.values()) this.#takeVectors(space, id, chunks)
  }

  #takeVectors(space: Space, file: number, chunks: readonly number[]): void {
    const row = this.#database.row<[Uint8Array, Uint8Array]>(
      'SELECT codes, scales FROM vec WHERE space = ? AND file = ?',
      space.id,
      file,
    )
    if (!row) return
    const { width } = space
    const codes = new Int8Array(row[0].buffer, row[0].byteOffset, row[0].byteLength)
    const scales = new Float32Array(row[1].slice().buffer)
    for (const [i, chunk] of chunks.entries()) {
      space.codes.set(codes.subarray(i * width, (i + 1) * width), chunk * width)
      space.scales[chunk] = scales[i]!
      if (!Number.isNaN(scales[i]!)) space.present++
    }
  }

  #makeRoom(places: number): void {
    this.places = Math.max(this.places, places)
    if (places <= this.lengths.length) return
    const room = Math.max(1024, places + (places >> 1))
    this.lengths = grown(this.lengths, new Float32Array(room))
    this.owners = grown(this.owners, new Int32Array(room))
    for (const space of this.spaces.values()) {
      space.codes = grown(space.codes, new Int8Array(room * space.width))
      space.scales = grown(space.scales, new Float32Array(room).fill(absent))
    }
  }
}

function grown<T extends Float32Array | Int32Array | Int8Array>(from: T, to: T): T {
  to.set(from as never)
  return to
}
