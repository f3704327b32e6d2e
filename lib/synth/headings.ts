// Queries without a model: a heading asks for what stands below it. The paper's weakly supervised stage in small.
import type { SynthRow } from './row.ts'
import { passageOf, words } from './passage.ts'
import { plain, sectionsOf } from './sections.ts'

export interface Document {
  id: string
  text: string
}

/** Says nothing of what stands below it. */
const empty =
  /^(introduction|overview|usage|install(ation|ing)?|license|licence|api|options?|examples?|contributing|contributors?|change ?log|table of contents|contents|credits|authors?|acknowledge?ments?|see also|links?|resources|references|notes?|getting started|quick ?start|support|description|summary|features|todo|misc|other|v?\d[\d.]*.*)$/i

export function headingPairs({ id, text }: Document): SynthRow[] {
  return sectionsOf(text).flatMap(({ heading, above, text: body, line }) => {
    const passage = passageOf(plainBody(body))
    const query = queryOf(heading, above)
    if (passage === undefined || query === undefined) return []
    return [
      {
        query,
        positive: passage,
        positive_id: `${id}#${line}`,
        source: { method: 'headings' as const, document: id },
      },
    ]
  })
}

/** Short headings mean something together with what stands above them. */
function queryOf(heading: string, above: readonly string[]): string | undefined {
  if (empty.test(heading) || !/\p{L}{3}/u.test(heading)) return undefined
  if (words(heading).length >= 3) return heading
  const title = above.filter((one) => !empty.test(one)).at(-1)
  return title === undefined ? undefined : `${title}: ${heading}`
}

/** Paragraphs as a reader sees them; code stays as it is. */
export function plainBody(body: string): string {
  return body
    .split(/(^ {0,3}```[\s\S]*?^ {0,3}```[^\n]*$)/m)
    .map((part, i) =>
      i % 2 === 1
        ? part.trim()
        : part
            .split(/\n{2,}/)
            .map(plain)
            .join('\n'),
    )
    .join('\n')
    .replace(/\n{2,}/g, '\n')
    .trim()
}
