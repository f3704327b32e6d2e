import { Qwen3Error } from '../../index.ts'

/** Document ids by score, as found for one query. */
export type Scores = ReadonlyMap<string, number>

/**
 * The ids of one query in trec_eval 9's order: score descending after rounding to float32, equal ones by id
 * descending, compared as UTF-8 bytes.
 *
 * @throws Qwen3Error `ERR_DATASET` for a score that is not a number.
 */
export function rank(scores: Scores, query: string): string[] {
  const ids = [...scores.keys()]
  const rounded = Float32Array.from(scores.values())
  const places = Uint32Array.from(ids, (_, i) => i)
  const wrong = rounded.findIndex(Number.isNaN)
  if (wrong >= 0) {
    throw new Qwen3Error(
      'ERR_DATASET',
      `Expected a number as the score of document ${ids[wrong]} for query ${query} but received ${scores.get(ids[wrong]!)}`,
      { query, document: ids[wrong]! },
    )
  }
  places.sort((a, b) => rounded[b]! - rounded[a]! || compareBytes(ids[b]!, ids[a]!))
  return Array.from(places, (place) => ids[place]!)
}

/**
 * As strcmp on the UTF-8 of both. JavaScript compares UTF-16 units, whose order differs from that of bytes only where
 * a surrogate meets a unit from U+E000 on.
 */
export function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return byteOrder(x) - byteOrder(y)
  }
  return a.length - b.length
}

function byteOrder(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}
