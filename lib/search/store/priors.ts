// What is known of code beside its words: tests repeat the words of what they test, a definition answers better than
// its uses, and a file with many good passages is about the matter.
import { termsOf } from '../words/terms.ts'
import type { Query } from '../words/query.ts'
import type { Candidate, Texts } from './candidates.ts'

const testWeight = 0.4
const definitionBonus = 1
const fileBonus = 0.2
const pathBonus = 1
/** Chunks of a file that count for it. */
const evidenceDepth = 100

const isTest =
  /(?:^|[/._-])(?:tests?|specs?|__tests__|fixtures?|examples?|mocks?|testdata)(?:[/._-]|$)/i
const asksForTests = /\b(?:tests?|specs?|fixtures?|examples?|mocks?)\b/i
const defining =
  '(?:function|class|def|func|fn|interface|type|struct|enum|trait|impl|module|namespace|const|let|var|object|record|protocol|macro_rules!)'

/** New scores of candidates, in their order; those of other kinds stay. */
export function priorsOf(found: readonly Candidate[], query: Query, texts: Texts): number[] {
  const evidence = new Map<number, number>()
  for (const { file, score } of found.slice(0, evidenceDepth))
    if (file.kind === 'code') evidence.set(file.id, (evidence.get(file.id) ?? 0) + score)
  const most = Math.max(...evidence.values(), 0)
  const asked = new Set(query.terms.filter((term) => term.length >= 3))
  const wantsTests = asksForTests.test(query.text)
  const definition = definitionOf(query)
  return found.map(({ file, score, start, stop }) => {
    if (file.kind !== 'code') return score
    let sum = score
    if (!wantsTests && isTest.test(file.path)) sum *= testWeight
    if (definition?.test(texts.of(file.id).slice(start, stop))) sum += definitionBonus
    if (most > 0) sum += (fileBonus * (evidence.get(file.id) ?? 0)) / most
    return sum + pathBonus * shareIn(asked, file.path)
  })
}

function definitionOf({ identifier }: Query): RegExp | undefined {
  if (identifier === undefined) return undefined
  const name = identifier.split(/[.:]+/).at(-1)!
  const escaped = name.replace(/[^\p{L}\p{N}_]/gu, '\\$&')
  return new RegExp(`\\b${defining}\\s+(?:\\([^)]*\\)\\s*)?${escaped}\\b`, 'u')
}

/** Share of the question's words that stand in the names of a file and its folder. */
function shareIn(asked: ReadonlySet<string>, path: string): number {
  if (asked.size === 0) return 0
  const named = new Set(termsOf(path.split('/').slice(-2).join(' ')))
  let count = 0
  for (const term of asked) if (named.has(term)) count++
  return count / asked.size
}
