import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Qwen3Error } from '../../index.ts'
import { evaluate } from '../evaluate.ts'
import type { EvaluateOptions } from '../options.ts'
import type { Kind } from '../read/dataset.ts'
import type { Report } from '../report/report.ts'
import { publishedFor } from './per-task.ts'
import { type PlanOptions, planSuite } from './plan.ts'

export interface SuiteTask {
  name: string
  type: string
  /** Of 1; the mean over its subsets where it has several. Null where it was not run. */
  value: number | null
  published: number | null
  subsets: number
  /** Why it was not run. */
  reason: string | null
}

export interface SuiteReport {
  suite: string
  type: string | null
  tasks: SuiteTask[]
  /** Of the tasks that were run, of 1. */
  meanTask: number
  meanType: number
  /** Whether every task was. */
  isComplete: boolean
}

export interface SuiteOptions
  extends Omit<EvaluateOptions, 'dataset' | 'task' | 'kind' | 'onRun'>,
    PlanOptions {
  onTask?: (task: SuiteTask) => void
}

const kindOfType: Readonly<Record<string, Kind>> = {
  Retrieval: 'retrieval',
  InstructionReranking: 'instructions',
  STS: 'sts',
  PairClassification: 'pairs',
  BitextMining: 'bitext',
  Reranking: 'reranking',
  Classification: 'classification',
  Clustering: 'clustering',
  Summarization: 'summarisation',
}

/** Every task of a suite that lies in the data folder, with Qwen's instructions and rules, and the means of the paper's tables. */
export async function runSuite({
  onTask,
  suite,
  type,
  data,
  tokensPerSecond: _,
  ...options
}: SuiteOptions): Promise<SuiteReport> {
  const done: SuiteTask[] = []
  for (const task of await planSuite({ suite, type, data })) {
    const shared = {
      name: task.name,
      type: task.type,
      published: publishedFor(task.name, `${options.model}`) ?? null,
    }
    const reason = task.reason ?? (task.folder === null ? `no folder: ${task.fetch}` : null)
    const outcome =
      reason === null
        ? await runTask(task.folder!, {
            ...options,
            task: task.name,
            split: task.split,
            kind: kindOfType[task.type]!,
          })
        : { value: null, subsets: 0, reason }
    const one = { ...shared, ...outcome }
    done.push(one)
    onTask?.(one)
  }
  const run = done.filter((task) => task.value !== null)
  const types = [...new Set(run.map((task) => task.type))]
  const meanOf = (list: readonly SuiteTask[]) =>
    list.reduce((sum, { value }) => sum + value!, 0) / Math.max(1, list.length)
  const byType = types.map((one) => meanOf(run.filter((task) => task.type === one)))
  return {
    suite,
    type: type ?? null,
    tasks: done,
    meanTask: meanOf(run),
    meanType: byType.reduce((sum, value) => sum + value, 0) / Math.max(1, byType.length),
    isComplete: run.length === done.length,
  }
}

type TaskOptions = Omit<EvaluateOptions, 'dataset'>

/** A folder may hold the task itself, or a folder for each of its subsets. Data that cannot be read is told, and the rest goes on. */
async function runTask(
  folder: string,
  options: TaskOptions,
): Promise<Pick<SuiteTask, 'value' | 'subsets' | 'reason'>> {
  try {
    return {
      value: mainOf(await evaluate({ ...options, dataset: folder })),
      subsets: 1,
      reason: null,
    }
  } catch (error) {
    if (!(error instanceof Qwen3Error) || error.code !== 'ERR_DATASET') throw error
    const values = await eachSubset(folder, options)
    if (values.length === 0) return { value: null, subsets: 0, reason: error.message }
    return {
      value: values.reduce((sum, value) => sum + value, 0) / values.length,
      subsets: values.length,
      reason: null,
    }
  }
}

/** Subsets lie in folders, or in folders of folders (`data/en`). */
async function eachSubset(folder: string, options: TaskOptions, depth = 2): Promise<number[]> {
  const values: number[] = []
  const entries = await readdir(folder, { withFileTypes: true })
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!entry.isDirectory() || entry.name.startsWith('.')) continue
    const inner = join(folder, entry.name)
    try {
      values.push(mainOf(await evaluate({ ...options, dataset: inner })))
    } catch (error) {
      if (!(error instanceof Qwen3Error) || error.code !== 'ERR_DATASET') throw error
      if (depth > 1) values.push(...(await eachSubset(inner, options, depth - 1)))
    }
  }
  return values
}

/** With a reranker the last system is the reranked one. The paper's pair tasks count the best of four similarities. */
function mainOf({ systems, dataset }: Report): number {
  const { metrics, main } = systems.at(-1)!
  return metrics[dataset.kind === 'pairs' ? 'max-ap' : main]!.value
}
