// SQLite, compiled into the addon. Calls return when they are done: for worker threads, or for a row or two.
import { type NativeDatabase, type NativeValue, native, wrap } from './native.ts'

export type Value = NativeValue
export type Access = 'read' | 'write' | 'create'

/**
 * One connection, for the thread that made it.
 *
 * All of it throws Qwen3Error: `ERR_INDEX_NOT_FOUND`, `ERR_INDEX_BUSY`, `ERR_INDEX_DAMAGED`, `ERR_DISK_FULL`,
 * `ERR_CLOSED`, `ERR_COMPUTE`.
 */
export class Database {
  readonly #native: NativeDatabase

  /** @param access `create` makes the file where there is none. */
  constructor(path: string, access: Access) {
    const { binding } = native()
    this.#native = thrown(() => new binding.Database(path, access))
  }

  /** Statements without values or rows. */
  execute(statements: string): void {
    thrown(() => this.#native.execute(statements))
  }

  /** Rows as arrays of their columns. */
  rows<Row extends readonly Value[]>(statement: string, ...values: readonly Value[]): Row[] {
    return thrown(() => this.#native.rows(statement, values)) as unknown as Row[]
  }

  /** The first row, if there is one. */
  row<Row extends readonly Value[]>(
    statement: string,
    ...values: readonly Value[]
  ): Row | undefined {
    return this.rows<Row>(statement, ...values)[0]
  }

  /** @returns the row id of what was inserted. */
  insert(statement: string, ...values: readonly Value[]): number {
    this.rows(statement, ...values)
    return this.#native.lastRow()
  }

  /**
   * Does all of `work` or, when it throws, nothing of it.
   *
   * @param kind `immediate` is for writing: nobody else writes meanwhile. What is read is of one moment either way.
   */
  transaction<T>(kind: 'deferred' | 'immediate', work: () => T): T {
    this.execute(`BEGIN ${kind}`)
    try {
      const result = work()
      this.execute('COMMIT')
      return result
    } catch (error) {
      try {
        this.execute('ROLLBACK')
      } catch {
        // SQLite has rolled back by itself, as it does when the disk is full.
      }
      throw error
    }
  }

  /**
   * Adds BM25 to the scores of all rows of the FTS5 table `lex` that have a phrase of the expression.
   *
   * @param lengths words by row id, (places); 0 where there is no row
   * @param scores by row id, (places)
   */
  scoreWords(
    expression: string,
    lengths: Float32Array,
    { mean, chunks }: { mean: number; chunks: number },
    scores: Float32Array,
  ): void {
    thrown(() => this.#native.scoreWords(expression, lengths, mean, chunks, scores))
  }

  close(): void {
    this.#native.close()
  }
}

/**
 * Inner products of a query with rows of codes, scaled.
 *
 * @param codes (n, width) @param scales (n) @param query (width) @param cosines (n), written
 */
export function scan(
  codes: Int8Array,
  scales: Float32Array,
  width: number,
  query: { codes: Int8Array; scale: number },
  cosines: Float32Array,
): void {
  native().binding.scan(codes, scales, width, query.codes, query.scale, cosines)
}

function thrown<T>(run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw wrap(error)
  }
}
