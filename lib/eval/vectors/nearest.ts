// Exact search: every query against every row of a file of vectors, block by block.
import { closeSync, openSync, readSync } from 'node:fs'
import { dot, type Encoding, encode, type Matrix } from './matrix.ts'

export interface NearestTask {
  kind: 'nearest'
  /** float32 rows, as many as `order` is long. */
  path: string
  width: number
  /** (rows): of equal scores the lower number comes first. */
  order: Int32Array
  /** Rows from here to there. */
  from: number
  to: number
  dimensions: number
  encoding: Encoding
  /** (queries, dimensions) */
  queries: Matrix
  top: number
}

/** Best first, (queries, top); −1 where there are fewer rows. */
export interface Nearest {
  rows: Int32Array
  scores: Float32Array
}

const blockRows = 512

export function nearest(task: NearestTask): Nearest {
  const { path, width, from, to, dimensions, encoding, queries, order, top } = task
  const heaps = Array.from(
    { length: queries.rows },
    () => new Heap(Math.min(top, to - from), order),
  )
  const file = openSync(path, 'r')
  try {
    const block = new Float32Array(blockRows * width)
    for (let row = from; row < to; row += blockRows) {
      const count = Math.min(blockRows, to - row)
      readWhole(file, block.subarray(0, count * width), 4 * row * width)
      const documents = encode({ values: block, rows: count, width }, dimensions, encoding)
      for (let query = 0; query < queries.rows; query++) {
        const heap = heaps[query]!
        for (let i = 0; i < count; i++) {
          const score = dot(
            queries.values,
            query * dimensions,
            documents.values,
            i * dimensions,
            dimensions,
          )
          heap.offer(Math.fround(score), row + i)
        }
      }
    }
  } finally {
    closeSync(file)
  }
  return gathered(
    heaps.map((heap) => heap.sorted()),
    top,
  )
}

/** Results over several ranges of rows as one. */
export function merged(parts: readonly Nearest[], order: Int32Array, top: number): Nearest {
  if (parts.length === 1) return parts[0]!
  const queries = parts[0]!.rows.length / top
  const lists = Array.from({ length: queries }, (_, query) => {
    const heap = new Heap(top, order)
    for (const { rows, scores } of parts) {
      for (let i = query * top; i < (query + 1) * top && rows[i]! >= 0; i++)
        heap.offer(scores[i]!, rows[i]!)
    }
    return heap.sorted()
  })
  return gathered(lists, top)
}

function gathered(lists: { row: number; score: number }[][], top: number): Nearest {
  const rows = new Int32Array(lists.length * top).fill(-1)
  const scores = new Float32Array(lists.length * top)
  for (const [query, list] of lists.entries()) {
    for (const [i, { row, score }] of list.entries()) {
      rows[query * top + i] = row
      scores[query * top + i] = score
    }
  }
  return { rows, scores }
}

function readWhole(file: number, into: Float32Array, position: number) {
  const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength)
  let done = 0
  while (done < bytes.length) {
    const read = readSync(file, bytes, done, bytes.length - done, position + done)
    if (read === 0) throw new Error('The file of vectors ends early')
    done += read
  }
}

/** The best so many, the worst of them on top. */
class Heap {
  readonly #scores: Float32Array
  readonly #rows: Int32Array
  readonly #order: Int32Array
  #size = 0

  constructor(size: number, order: Int32Array) {
    this.#scores = new Float32Array(size)
    this.#rows = new Int32Array(size)
    this.#order = order
  }

  offer(score: number, row: number): void {
    if (this.#size < this.#rows.length) this.#rise(this.#size++, score, row)
    else if (this.#size > 0 && this.#isWorse(this.#scores[0]!, this.#rows[0]!, score, row))
      this.#sink(score, row)
  }

  sorted(): { row: number; score: number }[] {
    const list = Array.from({ length: this.#size }, (_, i) => ({
      row: this.#rows[i]!,
      score: this.#scores[i]!,
    }))
    return list.sort((a, b) => b.score - a.score || this.#order[a.row]! - this.#order[b.row]!)
  }

  #isWorse(score: number, row: number, other: number, otherRow: number): boolean {
    return score < other || (score === other && this.#order[row]! > this.#order[otherRow]!)
  }

  #rise(from: number, score: number, row: number) {
    let i = from
    while (i > 0) {
      const above = (i - 1) >> 1
      if (this.#isWorse(this.#scores[above]!, this.#rows[above]!, score, row)) break
      this.#put(i, this.#scores[above]!, this.#rows[above]!)
      i = above
    }
    this.#put(i, score, row)
  }

  #sink(score: number, row: number) {
    let i = 0
    for (let child = 1; child < this.#size; child = 2 * i + 1) {
      const right = child + 1
      if (
        right < this.#size &&
        this.#isWorse(
          this.#scores[right]!,
          this.#rows[right]!,
          this.#scores[child]!,
          this.#rows[child]!,
        )
      ) {
        child = right
      }
      if (this.#isWorse(score, row, this.#scores[child]!, this.#rows[child]!)) break
      this.#put(i, this.#scores[child]!, this.#rows[child]!)
      i = child
    }
    this.#put(i, score, row)
  }

  #put(i: number, score: number, row: number) {
    this.#scores[i] = score
    this.#rows[i] = row
  }
}
