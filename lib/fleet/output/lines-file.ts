// `.npy` holds vectors, NaN where a text failed; `.ids.jsonl` says per row {"id", "tokens"} and "error". `.jsonl` holds
// all of it in one.
import { npyHeader } from '../../npy.ts'
import type { JobFacts, Shard } from '../manifest.ts'
import { Draft } from '../stores/draft.ts'
import type { Store } from '../stores/store.ts'
import type { Row, SealedFile, ShardFile } from './shard-file.ts'

export class LinesFile implements ShardFile {
  readonly #width: number
  readonly #vectors: Draft | undefined
  readonly #lines: Draft

  private constructor(width: number, lines: Draft, vectors: Draft | undefined) {
    this.#width = width
    this.#lines = lines
    this.#vectors = vectors
  }

  static async open(
    store: Store,
    { format, dimensions }: JobFacts,
    { id, rows }: Shard,
  ): Promise<LinesFile> {
    const lines = await Draft.open(store, `${id}.jsonl`)
    if (format === 'jsonl') return new LinesFile(dimensions, lines, undefined)
    const vectors = await Draft.open(store, `${id}.npy`)
    await vectors.write(npyHeader(rows, dimensions))
    return new LinesFile(dimensions, lines, vectors)
  }

  async write(rows: readonly Row[]): Promise<void> {
    if (this.#vectors) {
      const whole = new Float32Array(rows.length * this.#width).fill(Number.NaN)
      for (const [i, { vector }] of rows.entries()) if (vector) whole.set(vector, i * this.#width)
      await this.#vectors.write(new Uint8Array(whole.buffer))
    }
    await this.#lines.write(Buffer.from(rows.map((row) => `${this.#line(row)}\n`).join('')))
  }

  async seal(): Promise<SealedFile[]> {
    const sealed = async (draft: Draft, ending: string): Promise<SealedFile> => {
      return { draft: draft.path, ending, sha256: await draft.seal(), bytes: draft.bytes }
    }
    if (!this.#vectors) return [await sealed(this.#lines, '.jsonl')]
    return [await sealed(this.#lines, '.ids.jsonl'), await sealed(this.#vectors, '.npy')]
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
    if (this.#vectors || !vector) return facts
    // Nine digits give back the same float32.
    const numbers = Array.from(vector, (value) => value.toPrecision(9))
    return `${facts.slice(0, -1)},"vector":[${numbers.join(',')}]}`
  }
}
