// Queries without a model: what a comment says of a function asks for its code.
import type { Document } from './headings.ts'
import { passageOf, words } from './passage.ts'
import type { SynthRow } from './row.ts'

/** Files that are read for this. */
export const codeFiles = /\.([cm]?[jt]sx?|py|java|kt|go|rs|c|cc|cpp|h|hpp|cs|swift|php)$/i

const declaration =
  /^\s*(export|async|function|class|interface|public|private|protected|static|const|let|def|fn|func|pub|template|inline|void|impl|struct|type|enum|[\w<>:*&,[\] ]+\()/

export function docstringPairs({ id, text }: Document): SynthRow[] {
  const lines = text.replaceAll('\r\n', '\n').split('\n')
  const found = /\.py$/i.test(id) ? pythonOf(lines) : bracedOf(lines)
  return found.flatMap(({ comment, code, line }) => {
    const query = firstSentence(comment)
    const passage = passageOf(code)
    if (words(query).length < 3 || passage === undefined) return []
    const source = { method: 'docstrings' as const, document: id }
    return [{ query, positive: passage, positive_id: `${id}#${line}`, source }]
  })
}

interface Commented {
  comment: string
  /** Without the comment. */
  code: string
  /** Of the declaration, from 1. */
  line: number
}

const indentOf = (line: string) => /^\s*/.exec(line)![0].length

/** The text in quotes that stands first below `def` or `class`. */
function pythonOf(lines: readonly string[]): Commented[] {
  return lines.flatMap((line, first) => {
    if (!/^\s*(async\s+def|def|class)\s/.test(line)) return []
    let body = first
    while (body < lines.length && !/:\s*(#.*)?$/.test(lines[body]!)) body++
    const quote = /^\s*[rRuU]?("{3}|'{3})/.exec(lines[body + 1] ?? '')?.[1]
    if (quote === undefined) return []
    const rest = lines.slice(body + 1).join('\n')
    const begin = rest.indexOf(quote) + 3
    const end = rest.indexOf(quote, begin)
    if (end < 0) return []
    const after = body + 1 + rest.slice(0, end).split('\n').length
    const last = blockEnd(lines, after, indentOf(line))
    const code = [...lines.slice(first, body + 1), ...lines.slice(after, last)].join('\n').trimEnd()
    return [{ comment: rest.slice(begin, end), code, line: first + 1 }]
  })
}

/** A comment right above a declaration, whose code ends with the line that closes it. */
function bracedOf(lines: readonly string[]): Commented[] {
  const found: Commented[] = []
  for (let i = 0; i < lines.length; i++) {
    const begin = i
    const comment: string[] = []
    if (/^\s*\/\*\*/.test(lines[i]!)) {
      do comment.push(lines[i]!)
      while (!lines[i++]!.includes('*/') && i < lines.length)
    } else {
      while (/^\s*\/\/[/!]?\s/.test(lines[i] ?? '')) comment.push(lines[i++]!)
    }
    if (comment.length === 0) continue
    const first = lines[i]
    if (
      first !== undefined &&
      indentOf(first) === indentOf(lines[begin]!) &&
      declaration.test(first)
    ) {
      let last = blockEnd(lines, i + 1, indentOf(first))
      // A list of parameters ends before the body begins.
      while (/^\s*[\])}{].*[{([]\s*$|^\s*\{\s*$/.test(lines[last] ?? ''))
        last = blockEnd(lines, last + 1, indentOf(first))
      const closes = /^\s*[\])}]/.test(lines[last] ?? '') ? 1 : 0
      const code = lines.slice(i, last + closes).join('\n')
      found.push({ comment: bare(comment), code: code.trimEnd(), line: i + 1 })
    }
    // What stands within a declaration may have comments of its own.
    i = Math.max(begin, i - 1)
  }
  return found
}

/** The first line from `from` on that is not further in. */
function blockEnd(lines: readonly string[], from: number, indent: number): number {
  let end = from
  while (end < lines.length && (lines[end]!.trim() === '' || indentOf(lines[end]!) > indent)) end++
  return end
}

const bare = (comment: readonly string[]) =>
  comment
    .map((line) => line.replace(/^\s*(\/\*\*+|\*\/|\*|\/\/[/!]?)\s?|\s*\*\/\s*$/g, ''))
    .join('\n')

/** Up to tags and lists of parameters. */
function firstSentence(comment: string): string {
  const told = comment
    .split(/^\s*(?:[@\\:]\w|Args:|Parameters|Returns)|\n\s*\n/m)
    .map((part) => part.replace(/\s+/g, ' ').trim())
    .find((part) => part !== '')
  const sentence = /^.*?[.!?](?=\s|$)/.exec(told ?? '')?.[0] ?? told ?? ''
  return sentence
    .replace(/\{@\w+ ([^}]*)\}/g, '$1')
    .replaceAll('`', '')
    .replace(/\.$/, '')
}
