// What a stream can show: colours, widths, columns.
import { stripVTControlCharacters } from 'node:util'

/** The part of a stream that drawing needs; tests stand in for it. */
export interface Screen {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

type Environment = Readonly<Record<string, string | undefined>>

const styles = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const

export type Style = keyof typeof styles

/** https://no-color.org: any value that is not empty turns colours off. */
export function takesColour(screen: Screen, env: Environment = process.env): boolean {
  return screen.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb'
}

export function painter(screen: Screen, env: Environment = process.env) {
  const colour = takesColour(screen, env)
  return (style: Style, text: string) => (colour ? `\x1b[${styles[style]}m${text}\x1b[0m` : text)
}

/** Rows as aligned columns; a column of numbers goes to the right. */
export function columns(rows: readonly (readonly string[])[], right: readonly number[] = []) {
  const widths: number[] = []
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, shownWidth(cell))
  }
  const lines = rows.map((row) =>
    row
      .map((cell, i) => {
        const gap = ' '.repeat(widths[i]! - shownWidth(cell))
        if (right.includes(i)) return gap + cell
        return i + 1 < row.length ? cell + gap : cell
      })
      .join('  ')
      .trimEnd(),
  )
  return lines.map((line) => `${line}\n`).join('')
}

/** `fraction` of a bar of `width` cells, in eighths of a cell. */
export function bar(fraction: number, width: number): string {
  const eighths = Math.round(Math.min(Math.max(fraction, 0), 1) * width * 8)
  const rest = eighths % 8
  const filled = '█'.repeat((eighths - rest) / 8) + (rest > 0 ? ' ▏▎▍▌▋▊▉'[rest] : '')
  return filled.padEnd(width)
}

/** Words on lines of at most `width` columns. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width) {
      lines[lines.length - 1] = `${last} ${word}`
    } else {
      lines.push(word)
    }
  }
  return lines
}

/** A text of somebody else, without what would steer a terminal: escape sequences, and control characters but line ends. */
export function plain(text: string): string {
  return stripVTControlCharacters(text).replace(/[^\P{Cc}\n\t]|[\u202A-\u202E\u2066-\u2069]/gu, '')
}

/** One line of at most `width` columns, for texts of any length. */
export function oneLine(text: string, width: number): string {
  const flat = plain(text.slice(0, 4 * width))
    .replace(/\s+/g, ' ')
    .trim()
  const shown = Array.from(flat)
  return shown.length <= width ? flat : `${shown.slice(0, width - 1).join('')}…`
}

function shownWidth(cell: string): number {
  return Array.from(stripVTControlCharacters(cell)).length
}
