// Queries without a model: what a link says asks for the section that it leads to.
import { posix } from 'node:path'
import { type Document, plainBody } from './headings.ts'
import { passageOf, words } from './passage.ts'
import type { SynthRow } from './row.ts'
import { plain, type Section, sectionsOf } from './sections.ts'

/** Says nothing of where it leads. */
const empty = /^(click |see |read )?(here|this( page| section| one)?|more|link|docs?|below|above)$/i

export function linkPairs(documents: readonly Document[]): SynthRow[] {
  const sections = new Map(documents.map(({ id, text }) => [id, sectionsOf(text)]))
  const known = new Set<string>()
  return documents.flatMap(({ id: from, text }) =>
    linksOf(text).flatMap(({ says, leads, line }) => {
      const found = sectionAt(from, leads, sections)
      const query = plain(says)
      if (!found || empty.test(query) || words(query).length < 2) return []
      const passage = passageOf(plainBody(found.section.text))
      const positive_id = `${found.id}#${found.section.line}`
      const key = JSON.stringify([query.toLowerCase(), positive_id])
      if (passage === undefined || known.has(key)) return []
      known.add(key)
      const source = { method: 'links' as const, document: found.id, from: `${from}#${line}` }
      return [{ query, positive: passage, positive_id, source }]
    }),
  )
}

/** Outside of code; pictures are none. */
function linksOf(markdown: string): { says: string; leads: string; line: number }[] {
  let fenced = false
  return markdown.split('\n').flatMap((line, i) => {
    if (/^ {0,3}(```|~~~)/.test(line)) fenced = !fenced
    if (fenced) return []
    const found = line.replace(/`[^`]*`/g, (code) => code.replace(/[[\]()]/g, ' '))
    return [...found.matchAll(/(?<!!)\[([^\][]+)\]\(<?([^()\s<>]+)>?(?:\s+"[^"]*")?\)/g)].map(
      ([, says, leads]) => ({ says: says!, leads: leads!, line: i + 1 }),
    )
  })
}

function sectionAt(
  from: string,
  leads: string,
  sections: ReadonlyMap<string, readonly Section[]>,
): { id: string; section: Section } | undefined {
  if (/^[a-z][a-z\d+.-]*:|^\/\//i.test(leads)) return undefined
  const [file = '', fragment] = decoded(leads).split('#', 2)
  if (file === '' && !fragment) return undefined
  const id = file === '' ? from : posix.join(posix.dirname(from), file)
  const of = sections.get(id)
  const section = fragment ? of?.[anchorsOf(of).indexOf(fragment.toLowerCase())] : of?.[0]
  return section && { id, section }
}

function decoded(address: string): string {
  try {
    return decodeURIComponent(address)
  } catch {
    return address
  }
}

/** As GitHub names headings: a name that comes again is numbered. */
function anchorsOf(sections: readonly Section[]): string[] {
  const seen = new Map<string, number>()
  return sections.map(({ heading }) => {
    const name = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-')
    const count = seen.get(name) ?? 0
    seen.set(name, count + 1)
    return count === 0 ? name : `${name}-${count}`
  })
}
