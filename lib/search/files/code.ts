// Code in pieces that its own layout makes: what stands at one depth between blank lines, comments with what follows.
import type { Cut } from './passages.ts'

const aim = 1_000
const most = 1_600
const overlap = 150

interface Line {
  readonly start: number
  readonly stop: number
  /** Columns before the first letter; −1 of a blank line. */
  readonly depth: number
}

const defines =
  /^\s*(?:export\s+|default\s+|declare\s+|public\s+|private\s+|protected\s+|internal\s+|static\s+|final\s+|abstract\s+|async\s+|pub(?:\([^)]*\))?\s+|unsafe\s+|extern\s+(?:"[^"]*"\s+)?|virtual\s+|override\s+|inline\s+|@\w+\s+)*(?:function\*?|class|def|func|fn|interface|struct|enum|trait|impl|module|namespace|type|object|record|protocol|contract|sub|macro_rules!)\s+(?:\([^)]*\)\s*)?([\p{L}_$][\p{L}\p{N}_$:]*)/u

/** @param name of the file and its folder, in front of every piece */
export function cutCode(text: string, name: string): Cut[] {
  const lines = linesOf(text)
  const cuts: Cut[] = []
  const give = (from: number, to: number, head: string) => {
    const [start, stop] = [lines[from]!.start, lines[to - 1]!.stop]
    if (stop - start > most) cuts.push(...hardCuts(text, start, stop, head))
    else if (text.slice(start, stop).trim() !== '') cuts.push({ start, stop, head })
  }
  const sizeOf = (from: number, to: number) => lines[to - 1]!.stop - lines[from]!.start
  const split = (from: number, to: number, path: readonly string[]) => {
    const seams = seamsOf(lines, from, to)
    let start = from
    let end = from
    const flush = () => {
      if (end > start) give(start, end, headOf(name, path, text, lines, start, end))
      start = end
    }
    for (const [i, seam] of seams.entries()) {
      const next = seams[i + 1] ?? to
      if (
        sizeOf(seam, next) > most &&
        next - seam > 1 &&
        (seams.length > 1 || seam > from || next < to)
      ) {
        flush()
        const named = definedIn(text, lines, seam, Math.min(next, seam + 12))
        split(seam, next, named === undefined ? path : [...path, named])
        start = next
        end = next
        continue
      }
      if (end > start && sizeOf(start, next) > aim) flush()
      end = next
    }
    flush()
  }
  if (lines.length > 0) split(0, lines.length, [])
  return cuts
}

/** Where pieces begin: lines of the least depth that follow a blank line or something deeper. */
function seamsOf(lines: readonly Line[], from: number, to: number): number[] {
  const depths = lines.slice(from, to).flatMap(({ depth }) => (depth < 0 ? [] : [depth]))
  const distinct = [...new Set(depths)].sort((a, b) => a - b)
  for (const limit of distinct) {
    const seams = [from]
    for (let i = from + 1; i < to; i++) {
      const { depth } = lines[i]!
      if (depth < 0 || depth > limit) continue
      const before = lines[i - 1]!.depth
      if (before < 0) seams.push(i)
    }
    if (seams.length > 1) return seams
  }
  return [from]
}

function headOf(
  name: string,
  path: readonly string[],
  text: string,
  lines: readonly Line[],
  from: number,
  to: number,
): string {
  const own = definedIn(text, lines, from, to)
  const names = own === undefined || own === path.at(-1) ? path : [...path, own]
  return names.length === 0 ? name : `${name} > ${names.join('.')}`.slice(0, 200)
}

/** The first name that these lines define. */
function definedIn(
  text: string,
  lines: readonly Line[],
  from: number,
  to: number,
): string | undefined {
  for (let i = from; i < to; i++) {
    const { start, stop } = lines[i]!
    const found = defines.exec(text.slice(start, Math.min(stop, start + 400)))
    if (found) return found[1]
  }
  return undefined
}

/** Lines without a seam: as many as fit, with a few of the one before. */
function hardCuts(text: string, start: number, stop: number, head: string): Cut[] {
  const cuts: Cut[] = []
  for (let from = start; from < stop; ) {
    if (stop - from <= most) {
      cuts.push({ start: from, stop, head })
      break
    }
    const line = text.lastIndexOf('\n', from + aim + 200)
    const space = text.lastIndexOf(' ', from + aim + 200)
    let end = line > from + aim / 2 ? line + 1 : space > from + aim / 2 ? space + 1 : from + aim
    if (isLow(text, end)) end++
    cuts.push({ start: from, stop: end, head })
    const again = text.indexOf('\n', end - overlap) + 1
    from = again > 0 && again < end ? again : end
  }
  return cuts
}

function isLow(text: string, at: number): boolean {
  return (text.charCodeAt(at) & 0xfc00) === 0xdc00
}

function linesOf(text: string): Line[] {
  const lines: Line[] = []
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start)
    const stop = newline < 0 ? text.length : newline + 1
    let at = start
    let depth = 0
    for (; at < stop; at++) {
      const code = text.charCodeAt(at)
      if (code === 32) depth++
      else if (code === 9) depth += 4
      else break
    }
    const isBlank = at >= stop || text.charCodeAt(at) === 10 || text.charCodeAt(at) === 13
    lines.push({ start, stop, depth: isBlank ? -1 : depth })
    start = stop
  }
  return lines
}
