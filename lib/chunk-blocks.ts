// What a text is made of, by its lines: headings, paragraphs, fences. And where one of these may be cut.
import { headingAt, type TextFormat } from './chunk-headings.ts'

/** A stretch of text that belongs together, blank lines around it left out. */
export interface Block {
  readonly start: number
  readonly end: number
  /** Title and headings above it. */
  readonly path: readonly string[]
}

interface Line {
  readonly start: number
  readonly end: number
  readonly text: string
}

const fence = /^ {0,3}(`{3,}|~{3,})/

export function blocksOf(source: string, format: TextFormat, title?: string): Block[] {
  const lines = linesOf(source)
  const front = format === 'markdown' ? frontMatter(lines) : { lines: 0, title: undefined }
  const blocks: Block[] = []
  const headings: string[] = []
  let open: Line[] = []
  const path = () => [title ?? front.title ?? '', ...headings.map((one) => one ?? '')]
  const close = () => {
    const [first, last] = [open[0], open.at(-1)]
    if (first && last) blocks.push({ start: first.start, end: last.end, path: path() })
    open = []
  }
  let closing: string | undefined
  for (let i = front.lines; i < lines.length; i++) {
    const line = lines[i]!
    if (closing !== undefined) {
      open.push(line)
      if (isClosing(line.text, closing)) {
        close()
        closing = undefined
      }
      continue
    }
    const opening = format === 'markdown' ? fence.exec(line.text)?.[1] : undefined
    const near = (at: number) => (at < front.lines ? '' : (lines[at]?.text ?? ''))
    const heading = headingAt(line.text, near(i - 1), near(i + 1), format)
    if (opening !== undefined) {
      close()
      closing = opening
      open.push(line)
    } else if (heading) {
      close()
      headings.length = Math.min(headings.length, heading.level - 1)
      for (let level = headings.length; level < heading.level - 1; level++) headings.push('')
      headings.push(heading.title)
      // A heading alone is a block, and joins what follows it.
      open.push(...lines.slice(i, i + heading.lines))
      i += heading.lines - 1
    } else if (line.text.trim() === '') close()
    else open.push(line)
  }
  close()
  return blocks
}

function isClosing(text: string, opening: string): boolean {
  const mark = fence.exec(text)?.[1]
  return mark?.startsWith(opening) === true && text.trim() === mark
}

/** YAML between two lines of dashes, at the very beginning. */
function frontMatter(lines: readonly Line[]): { lines: number; title: string | undefined } {
  if (lines[0]?.text.trimEnd() !== '---') return { lines: 0, title: undefined }
  const end = lines.findIndex(({ text }, i) => i > 0 && /^(?:---|\.\.\.)\s*$/.test(text))
  if (end < 0) return { lines: 0, title: undefined }
  const titled = lines.slice(1, end).map(({ text }) => /^title:\s*(.+?)\s*$/.exec(text)?.[1])
  const title = titled.find((one) => one !== undefined)?.replace(/^(["'])(.*)\1$/, '$2')
  return { lines: end + 1, title }
}

function linesOf(source: string): Line[] {
  const lines: Line[] = []
  for (let start = 0; start < source.length; ) {
    const newline = source.indexOf('\n', start)
    const stop = newline < 0 ? source.length : newline
    const end = source[stop - 1] === '\r' && stop > start ? stop - 1 : stop
    lines.push({ start, end, text: source.slice(start, end) })
    start = stop + 1
  }
  return lines
}

/** From the best place to cut to the worst. */
const seams = [
  /\n\s*\n/g,
  /\n/g,
  /[.!?…](?=\s)|[。！？](?=.)/g,
  /[,;:](?=\s)|[，、；：](?=.)/g,
  /\s(?=\S)/g,
] as const

/** Where to cut between two places: at the best seam of the middle half, else in the middle. */
export function cutWithin(source: string, start: number, end: number): number {
  const quarter = Math.floor((end - start) / 4)
  const [low, high] = [start + quarter, end - quarter]
  const middle = (start + end) >> 1
  const part = source.slice(low, high)
  for (const seam of seams) {
    let best: number | undefined
    for (const { index, 0: found } of part.matchAll(seam)) {
      const at = low + index + found.length
      if (best === undefined || Math.abs(at - middle) < Math.abs(best - middle)) best = at
    }
    if (best !== undefined) return best
  }
  const splitsPair = /[\uDC00-\uDFFF]/.test(source[middle] ?? '')
  return splitsPair ? middle + 1 : middle
}
