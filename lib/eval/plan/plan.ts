import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { wrongData } from '../read/remarks.ts'
import { type Cell, cellsOf } from './tables.ts'
import { type Task, tasks } from './tasks.ts'

/** Suites by their names in MTEB; the last is one task, of the paper's Table 4. */
export const suites = {
  'MTEB(eng, v2)': { key: 'eng', charactersPerToken: 4.3 },
  'MTEB(cmn, v1)': { key: 'cmn', charactersPerToken: 1.6 },
  'MTEB(Code, v1)': { key: 'code', charactersPerToken: 3.3 },
  'MTEB(Multilingual, v2)': { key: 'multi', charactersPerToken: 3.3 },
  MLDR: { key: 'mldr', charactersPerToken: 3.3 },
} as const

export type SuiteName = keyof typeof suites

export interface PlannedTask extends Task {
  /** Estimated from its characters. */
  tokens: number
  hours: number
  /** The folder where it lies, if it does. */
  folder: string | null
  /** What brings it there. */
  fetch: string
  /** Why it cannot be run here, or null. */
  reason: string | null
}

export interface PlanOptions {
  suite: SuiteName
  /** Of this type only, such as `STS`. */
  type?: string | undefined
  /** The folder that holds a folder for each task. */
  data?: string | undefined
  /** What the machine does; `qwen3-embed bench` measures it. @default 650, Qwen3-Embedding-0.6B Q8_0 on two cores */
  tokensPerSecond?: number | undefined
}

/** The tasks of a suite, what each costs here, and where its data comes from. @throws RangeError for an unknown suite or type. */
export async function planSuite({
  suite,
  type,
  data = './mteb',
  tokensPerSecond = 650,
}: PlanOptions): Promise<PlannedTask[]> {
  const facts = suites[suite]
  if (!facts)
    throw new RangeError(`There is no suite ${suite}; there are ${Object.keys(suites).join('; ')}`)
  const own = tasks.filter((task) => task.suites.includes(facts.key))
  const chosen = type === undefined ? own : own.filter((task) => task.type === type)
  if (chosen.length === 0) {
    throw new RangeError(
      `There is no task of type ${type} in ${suite}; there are ${[...new Set(own.map((task) => task.type))].join(', ')}`,
    )
  }
  return Promise.all(
    chosen.map(async (task) => {
      const folder = join(data, task.name)
      const tokens = Math.round(task.characters / facts.charactersPerToken)
      return {
        ...task,
        tokens,
        hours: tokens / tokensPerSecond / 3600,
        folder: (await stat(folder).catch(() => undefined)) ? folder : null,
        fetch: `hf download ${task.repo} --repo-type dataset --revision ${task.revision} --local-dir ${folder}`,
        reason:
          task.type === 'MultilabelClassification'
            ? 'nearest neighbours over several labels: not a kind of task here'
            : null,
      }
    }),
  )
}

/** The cells of one of the paper's tables, 2 to 5. */
export function planTable(table: number): Cell[] {
  if (![2, 3, 4, 5].includes(table)) throw wrongData(`There are tables 2 to 5, not ${table}`)
  return cellsOf(table)
}
