// Lines that head a section, in the marks that people write: Markdown's, and those of text that is called Markdown or
// text and is neither.

export interface Heading {
  /** From 1. */
  readonly level: number
  readonly title: string
  /** Its own and the one that underlines it. */
  readonly lines: 1 | 2
}

export type TextFormat = 'markdown' | 'text'

const hashes = /^ {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$/
/** MediaWiki's `== Title ==`; a dump of articles has spaces in between: `= = Title = =`. */
const equalSigns =
  /^[ \t]*(=(?:[ \t]*=){0,5})[ \t]+([^=\s](?:.*[^=\s])?)[ \t]+(=(?:[ \t]*=){0,5})[ \t]*$/
/** AsciiDoc's. */
const leadingSigns = /^(={1,6})[ \t]+([^=\s].*?)[ \t]*$/
const underline = /^ {0,3}(=+|-+)[ \t]*$/
/** A line under a title is as long as it; a short one is a rule or a bullet. */
const shortestUnderline = 3
const longestTitle = 120

/**
 * The heading that begins at a line, if one does.
 *
 * @param before the line above; '' if there is none
 * @param below the line below; '' if there is none
 */
export function headingAt(
  line: string,
  before: string,
  below: string,
  format: TextFormat,
): Heading | undefined {
  if (line.length > 1_000) return undefined
  if (format === 'markdown') {
    const marked = hashes.exec(line)
    if (marked) return { level: marked[1]!.length, title: marked[2]!, lines: 1 }
  }
  const signs = equalSigns.exec(line)
  if (signs && count(signs[1]!) === count(signs[3]!))
    return { level: count(signs[1]!), title: signs[2]!, lines: 1 }
  if (format === 'text') {
    const leading = leadingSigns.exec(line)
    if (leading) return { level: leading[1]!.length, title: leading[2]!, lines: 1 }
  }
  return underlined(line, before, below)
}

/** Setext's headings, which are reStructuredText's first two as most write them: a paragraph of one line, underlined. */
function underlined(line: string, before: string, below: string): Heading | undefined {
  const mark = underline.exec(below)?.[1]
  const title = line.trim()
  if (mark === undefined || mark.length < shortestUnderline || before.trim() !== '')
    return undefined
  if (title === '' || title.length > longestTitle || !/^ {0,3}[\p{L}\p{N}"'([*_`]/u.test(line))
    return undefined
  return { level: mark.startsWith('=') ? 1 : 2, title, lines: 2 }
}

function count(signs: string): number {
  return signs.replaceAll(/[ \t]/g, '').length
}
