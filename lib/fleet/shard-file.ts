// The rows of one shard on their way to a file: written once, hashed as they go.
import { createHash, type Hash } from 'node:crypto'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import type { EmbeddedText } from '../index.ts'
import { npyHeader } from '../npy.ts'
import { type Folder, temporary } from './folder.ts'
import type { JobFacts, Shard } from './manifest.ts'

/** What a row of the shard is about, and its vector or error. */
export interface Row {
  readonly id: string | number
  readonly tokens: number
  readonly cut: number
  readonly vector: Float32Array | null
  readonly error: { readonly code: string; readonly message: string } | null
}

export function rowOf(id: string | number, { tokens, cut, vector, error }: EmbeddedText): Row {
  return { id, tokens, cut, vector, error: error && { code: error.code, message: error.message } }
}

/** A draft that is being written, and what is known of it so far. */
class Draft {
  readonly path: string
  readonly #file: FileHandle
  readonly #hash: Hash = createHash('sha256')
  bytes = 0

  private constructor(path: string, file: FileHandle) {
    this.path = path
    this.#file = file
  }

  static async open(path: string): Promise<Draft> {
    return new Draft(path, await open(path, 'wx'))
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes)
    this.bytes += bytes.length
    await this.#file.writeFile(bytes)
  }

  async seal(): Promise<string> {
    await this.#file.sync()
    await this.#file.close()
    return this.#hash.digest('hex')
  }

  async discard(): Promise<void> {
    await this.#file.close().catch(() => {})
    await unlink(this.path).catch(() => {})
  }
}

export interface Sealed {
  /** Each with its final name's ending. */
  readonly files: readonly {
    readonly draft: string
    readonly ending: string
    readonly sha256: string
  }[]
  readonly bytes: number
  readonly rows: number
  readonly tokens: number
  readonly failed: number
}

/**
 * `.npy` holds vectors, NaN where a text failed; `.ids.jsonl` says per row {"id", "tokens"} and "error". `.jsonl` holds
 * all of it in one.
 */
export class ShardFile {
  readonly #format: JobFacts['format']
  readonly #width: number
  readonly #vectors: Draft | undefined
  readonly #lines: Draft
  #rows = 0
  #tokens = 0
  #failed = 0

  private constructor(job: JobFacts, lines: Draft, vectors: Draft | undefined) {
    this.#format = job.format
    this.#width = job.dimensions
    this.#lines = lines
    this.#vectors = vectors
  }

  static async open(folder: Folder, job: JobFacts, shard: Shard): Promise<ShardFile> {
    const lines = await Draft.open(temporary(folder, `${shard.id}.jsonl`))
    if (job.format === 'jsonl') return new ShardFile(job, lines, undefined)
    const vectors = await Draft.open(temporary(folder, `${shard.id}.npy`))
    await vectors.write(npyHeader(shard.rows, job.dimensions))
    return new ShardFile(job, lines, vectors)
  }

  get rows(): number {
    return this.#rows
  }

  async write(rows: readonly Row[]): Promise<void> {
    if (this.#vectors) {
      const whole = new Float32Array(rows.length * this.#width).fill(Number.NaN)
      for (const [i, { vector }] of rows.entries()) if (vector) whole.set(vector, i * this.#width)
      await this.#vectors.write(new Uint8Array(whole.buffer))
    }
    await this.#lines.write(Buffer.from(rows.map((row) => `${this.#line(row)}\n`).join('')))
    this.#rows += rows.length
    for (const { tokens, error } of rows) {
      this.#tokens += tokens
      if (error) this.#failed++
    }
  }

  async seal(): Promise<Sealed> {
    const lines = {
      draft: this.#lines.path,
      ending: this.#vectors ? '.ids.jsonl' : '.jsonl',
      sha256: await this.#lines.seal(),
    }
    const vectors = this.#vectors && {
      draft: this.#vectors.path,
      ending: '.npy',
      sha256: await this.#vectors.seal(),
    }
    return {
      files: vectors ? [lines, vectors] : [lines],
      bytes: (this.#vectors ?? this.#lines).bytes,
      rows: this.#rows,
      tokens: this.#tokens,
      failed: this.#failed,
    }
  }

  async discard(): Promise<void> {
    await this.#lines.discard()
    await this.#vectors?.discard()
  }

  #line({ id, tokens, cut, vector, error }: Row): string {
    const facts = JSON.stringify({
      id,
      tokens,
      ...(cut > 0 ? { cut } : {}),
      ...(error ? { error } : {}),
    })
    if (this.#format === 'npy' || !vector) return facts
    // Nine digits give back the same float32.
    const numbers = Array.from(vector, (value) => value.toPrecision(9))
    return `${facts.slice(0, -1)},"vector":[${numbers.join(',')}]}`
  }
}
