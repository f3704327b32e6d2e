import type { Remark } from '../read/remarks.ts'
import type { Estimate } from '../statistics/bootstrap.ts'

/** What the main metric was computed from, so that two systems can be compared item by item. */
export type Evidence =
  /** The metric is the mean of these. */
  | { kind: 'mean'; values: number[] }
  /** The metric is Spearman's correlation of these. */
  | { kind: 'spearman'; predicted: number[]; gold: number[] }
  /** The metric is the average precision of these; `right` says which pairs the best threshold judges rightly. */
  | { kind: 'ap'; scores: number[]; positive: number[]; right: number[] }

/** How many scores fell into each of equal spans. */
export interface Histogram {
  low: number
  high: number
  positive: number[]
  negative: number[]
  /** The score that parts them with the best F1. */
  threshold: number
}

/** One way to answer the same questions: a model, cut to so many dimensions, perhaps with a reranker after it. */
export interface System {
  label: string
  model: { name: string; fingerprint: string; quantization: string; architecture: string }
  adapter: string | null
  reranker: { name: string; fingerprint: string; quantization: string; top: number } | null
  instruction: string
  dimensions: number
  encoding: string
  main: string
  metrics: Record<string, Estimate>
  /** By metric, a value for each of the report's items. */
  values: Record<string, number[]>
  evidence: Evidence
  histogram: Histogram | null
}

export interface DatasetFacts {
  name: string
  task: string | null
  kind: string
  split: string
  /** Of the questions and what is right; systems of two reports compare only if it is the same. */
  digest: string
  counts: Record<string, number>
}

/** What {@link evaluate} gives. The same inputs give the same report, byte for byte. */
export interface Report {
  version: 1
  dataset: DatasetFacts
  /** Names of the items: queries, or places. */
  items: string[]
  systems: System[]
  remarks: Remark[]
}
