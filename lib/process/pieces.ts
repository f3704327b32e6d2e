// A call in pieces: small enough that a few of them fill a child's queue, that neither side holds much, and that little is
// lost when the child dies.
import type { Body, Group } from '../job.ts'

/** Texts, or characters, that a piece has at most; a longer text is a piece of its own. */
const most = { texts: 256, chars: 1 << 18 }

/** Where every token has a row, which is some hundred times the text. */
const mostOfRows = { texts: 32, chars: 1 << 14 }

export interface CallPiece {
  /** Place of its first text among those of the call. */
  readonly first: number
  readonly count: number
  readonly groups: readonly Group[]
}

/** `shape` makes of each body what goes over. */
export function* piecesOf(
  groups: readonly Group[],
  shape: (text: string) => string,
  hasRows: boolean,
): Generator<CallPiece> {
  const limit = hasRows ? mostOfRows : most
  let piece: { head: string; bodies: Body[] }[] = []
  let [first, count, chars] = [0, 0, 0]
  for (const { head, bodies } of groups) {
    for (const [i, given] of bodies.entries()) {
      const body = typeof given === 'string' ? shape(given) : given
      if (count > 0 && chars + body.length > limit.chars) {
        yield { first, count, groups: piece }
        ;[piece, first, count, chars] = [[], first + count, 0, 0]
      }
      if (i === 0 || piece.length === 0) piece.push({ head, bodies: [] })
      piece.at(-1)!.bodies.push(body)
      count++
      chars += body.length
      if (count < limit.texts && chars < limit.chars) continue
      yield { first, count, groups: piece }
      ;[piece, first, count, chars] = [[], first + count, 0, 0]
    }
  }
  if (count > 0) yield { first, count, groups: piece }
}
