// Which of the nearest texts are wrong answers, and which only look wrong. Pure; runs on a thread of its own.
import { containment, gramsOf } from '../pairs/grams.ts'

export type Method = 'percPos' | 'marginPos' | 'abs' | 'shift'

export interface SelectTask {
  texts: readonly string[]
  queries: readonly {
    /** Rows of `texts`. */
    positives: readonly number[]
    /** Of the positives with the query: the smallest. */
    positiveScore: number
    /** Rows of `texts`, best first, with their cosine to the query and the largest one to a positive. */
    candidates: readonly { row: number; score: number; toPositive: number }[]
  }[]
  method: Method
  threshold: number
  containment: number
  twin: number
}

export const rules = ['positive', 'twin', 'words', 'score'] as const
export type Rule = (typeof rules)[number]

export interface Selected {
  /** For each query, what is left, best first. */
  kept: { row: number; score: number }[][]
  dropped: Record<Rule, number>
}

export function select(task: SelectTask): Selected {
  const grams = new Map<number, Set<string>>()
  const gramsAt = (row: number) => {
    const known = grams.get(row) ?? gramsOf(task.texts[row]!)
    grams.set(row, known)
    return known
  }
  const dropped: Record<Rule, number> = { positive: 0, twin: 0, words: 0, score: 0 }
  const kept = task.queries.map(({ positives, positiveScore, candidates }) => {
    const own = new Set(positives)
    const ownTexts = new Set(positives.map((row) => task.texts[row]))
    return candidates.flatMap(({ row, score, toPositive }, rank) => {
      const rule = ((): Rule | undefined => {
        if (own.has(row) || ownTexts.has(task.texts[row])) return 'positive'
        if (toPositive > task.twin) return 'twin'
        if (positives.some((one) => containment(gramsAt(one), gramsAt(row)) >= task.containment))
          return 'words'
        return passes(task, score, positiveScore, rank) ? undefined : 'score'
      })()
      if (rule === undefined) return [{ row, score }]
      dropped[rule]++
      return []
    })
  })
  return { kept, dropped }
}

function passes(
  { method, threshold }: SelectTask,
  score: number,
  positive: number,
  rank: number,
): boolean {
  switch (method) {
    case 'percPos':
      return score <= positive - (1 - threshold) * Math.abs(positive)
    case 'marginPos':
      return score <= positive - threshold
    case 'abs':
      return score <= threshold
    case 'shift':
      return rank >= threshold
  }
}
