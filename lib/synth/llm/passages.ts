import type { Document } from '../headings.ts'
import { sectionsOf } from '../sections.ts'

export interface Passage {
  id: string
  document: string
  text: string
}

const fewestWords = 20
/** About 400 tokens. */
const mostCharacters = 1_600

/** Sections of Markdown, or a text without any as it is, in pieces at ends of paragraphs; boilerplate is left out. */
export function passagesOf({ id, text }: Document): Passage[] {
  const sections = sectionsOf(text)
  const whole =
    sections.length > 0
      ? sections.map(({ heading, text: body, line }) => ({
          at: `${line}`,
          body: `${heading}\n${body}`,
        }))
      : [{ at: '1', body: text.trim() }]
  return whole.flatMap(({ at, body }) =>
    piecesOf(body)
      .filter((piece) => (piece.match(/[\p{L}\p{N}]+/gu)?.length ?? 0) >= fewestWords)
      .map((piece, i) => ({
        id: `${id}#${at}${i === 0 ? '' : `.${i}`}`,
        document: id,
        text: piece,
      })),
  )
}

function piecesOf(body: string): string[] {
  const pieces: string[] = []
  let current = ''
  for (const paragraph of body.split(/\n{2,}/)) {
    if (current !== '' && current.length + paragraph.length > mostCharacters) {
      pieces.push(current)
      current = ''
    }
    current = current === '' ? paragraph : `${current}\n\n${paragraph}`
    while (current.length > mostCharacters) {
      const cut = current.slice(0, mostCharacters).replace(/\s+\S*$/, '')
      pieces.push(cut)
      current = current.slice(cut.length).trimStart()
    }
  }
  return [...pieces, current].map((piece) => piece.trim()).filter((piece) => piece !== '')
}
