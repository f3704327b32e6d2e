// Markdown to sections: each heading with the text below it, up to the next one.

export interface Section {
  heading: string
  /** Headings above it, the title first. */
  above: string[]
  /** Without the heading. */
  text: string
  /** Of the heading, from 1. */
  line: number
}

export function sectionsOf(markdown: string): Section[] {
  const sections: Section[] = []
  const above: { level: number; heading: string }[] = []
  let current: { heading: string; above: string[]; line: number; lines: string[] } | undefined
  let fence: string | undefined
  const finish = () => {
    if (current) {
      const { lines, ...rest } = current
      sections.push({ ...rest, text: lines.join('\n').trim() })
    }
  }
  for (const [i, line] of bodyOf(markdown).split('\n').entries()) {
    const mark = /^ {0,3}(```+|~~~+)/.exec(line)?.[1]
    if (mark !== undefined) {
      if (fence === undefined) fence = mark
      else if (mark.startsWith(fence)) fence = undefined
    }
    const [, hashes, title] =
      (fence === undefined && /^ {0,3}(#{1,6})\s+(.+?)\s*#*$/.exec(line)) || []
    if (hashes === undefined) {
      current?.lines.push(line)
      continue
    }
    finish()
    while (above.length > 0 && above.at(-1)!.level >= hashes.length) above.pop()
    const heading = plain(title!)
    current = { heading, above: above.map((one) => one.heading), line: i + 1, lines: [] }
    above.push({ level: hashes.length, heading })
  }
  finish()
  return sections
}

/** Without front matter; its lines stay as empty ones, so that numbers hold. */
function bodyOf(markdown: string): string {
  const text = markdown.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n')
  const matter = /^---\n[\s\S]*?\n---\n/.exec(text)?.[0]
  return matter ? '\n'.repeat(matter.split('\n').length - 1) + text.slice(matter.length) : text
}

/** Words as a reader sees them. */
export function plain(markdown: string): string {
  return markdown
    .replace(/!\[[^\]]*\]\([^)]*\)/g, '')
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/<[^>]*>/g, '')
    .replace(/[`*_~]/g, '')
    .replace(/\s+/g, ' ')
    .trim()
}
