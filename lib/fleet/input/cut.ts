// Inputs cut into shards by bytes, so that each takes about the same time. Runs beside the JS thread.
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, gzip } from 'node:zlib'
import { Qwen3Error } from '../../errors.ts'
import type { Shard } from '../manifest.ts'
import { publishBytes } from '../stores/draft.ts'
import { locate, openStore, type Store } from '../stores/store.ts'
import { decompressed } from './decompress.ts'
import { formatOf, type InputFormat } from './format.ts'
import { groupsOf } from './parquet.ts'
import { csvValues, type Fields } from './records.ts'
import { type Line, split } from './split.ts'

export type Cut = Omit<Shard, 'id' | 'input'>

export interface CutInput {
  readonly shards: readonly Cut[]
  readonly records: number
  /** Of CSV: its first line. */
  readonly columns?: readonly string[]
}

export interface Cutting {
  readonly path: string
  readonly size: number
  /** Bytes of records in a shard. */
  readonly most: number
  readonly fields: Fields
  /** The job's place, for pieces of compressed inputs. */
  readonly out: string
  readonly signal: AbortSignal
  /** Bytes of the file that were read. */
  onBytes(at: number): void
}

export async function cutInput(cutting: Cutting): Promise<CutInput> {
  const format = formatOf(cutting.path)
  return format.kind === 'parquet' ? cutParquet(cutting) : cutText(cutting, format)
}

/** Whole row groups where they are small enough; larger ones by rows. */
async function cutParquet({ path, size, most, fields, onBytes }: Cutting): Promise<CutInput> {
  const shards: Cut[] = []
  let first = 0
  let rows = 0
  let bytes = 0
  const close = () => {
    if (rows > 0) shards.push({ first, rows })
    first += rows
    rows = 0
    bytes = 0
  }
  for (const group of await groupsOf(path, size, fields)) {
    if (bytes + group.bytes > most) close()
    const pieces = Math.min(group.rows, Math.ceil(group.bytes / most))
    for (let piece = 1; piece < pieces; piece++) {
      const until = Math.floor((group.rows * piece) / pieces)
      rows = until - Math.floor((group.rows * (piece - 1)) / pieces)
      close()
    }
    rows += group.rows - (pieces > 1 ? Math.floor((group.rows * (pieces - 1)) / pieces) : 0)
    bytes += pieces > 1 ? group.bytes / pieces : group.bytes
  }
  close()
  onBytes(size)
  return { shards, records: first }
}

async function cutText(cutting: Cutting, format: InputFormat): Promise<CutInput> {
  const { path, most, fields, signal, out } = cutting
  const isPlain = format.compression === 'none'
  const pieces = isPlain ? undefined : new Pieces(openStore(out), path, format)
  const shards: Cut[] = []
  let columns: readonly string[] | undefined
  let first = 0
  let lines: Line[] = []
  let rows = 0
  let from = 0
  let to = 0
  const close = async () => {
    if (rows === 0) return
    const where = isPlain ? { bytes: [from, to] as const } : { piece: await pieces!.take(lines) }
    shards.push({ first, rows, ...where })
    first += rows
    lines = []
    rows = 0
  }
  const kind = format.kind === 'csv' ? 'csv' : 'lines'
  for await (const some of split(decompressed(watched(cutting), format.compression), kind, path)) {
    signal.throwIfAborted()
    for (const line of some) {
      if (kind === 'csv' && columns === undefined) {
        columns = columnsOf(line, format.delimiter, path, fields)
        continue
      }
      if (rows > 0 && line.to - from > most) await close()
      if (rows === 0) from = line.from
      rows++
      to = line.to
      if (!isPlain) lines.push(line)
    }
  }
  await close()
  return { shards, records: first, ...(columns ? { columns } : {}) }
}

async function* watched({ path, signal, onBytes }: Cutting): AsyncGenerator<Buffer> {
  const { store, name } = locate(path)
  let at = 0
  for await (const chunk of store.read(name, 0, undefined, signal)) {
    yield chunk
    at += chunk.length
    onBytes(at)
  }
}

function columnsOf(line: Line, delimiter: string, path: string, { text }: Fields): string[] {
  const columns = csvValues(`${line.bytes}`.replace(/^\uFEFF/, ''), delimiter)
  if (columns.includes(text)) return columns
  throw new Qwen3Error(
    'ERR_FLEET',
    `${path} has no column ${JSON.stringify(text)} in its first line`,
    { path },
    { remedy: `Name one with --text: ${columns.slice(0, 20).join(', ')}.` },
  )
}

const zip = promisify(gzip)

/**
 * A compressed file can be read from its start only, and each shard of it would be read from there anew. The plan reads
 * it once in any case, and lays each shard's records down as a file of its own.
 */
class Pieces {
  readonly #store: Store
  readonly #ending: string

  constructor(store: Store, path: string, { kind }: InputFormat) {
    this.#store = store
    this.#ending = kind === 'csv' ? (/\.tsv\.\w+$/i.test(path) ? 'tsv' : 'csv') : 'jsonl'
  }

  /** @returns a name that its records decide: the same plan finds them there. */
  async take(lines: readonly Line[]): Promise<string> {
    const bytes = Buffer.concat(lines.flatMap((line) => [line.bytes, newline]))
    const digest = createHash('sha256').update(bytes).digest('hex').slice(0, 32)
    const name = `inputs/${digest}.${this.#ending}.gz`
    // Other bytes of the same records come from another zlib.
    if (!(await this.#store.stat(name)))
      await publishBytes(this.#store, name, await zip(bytes, { level: constants.Z_BEST_SPEED }))
    return name
  }
}

const newline = Buffer.from('\n')
