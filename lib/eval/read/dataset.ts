import type { Qrels } from './trec.ts'

export interface Text {
  id: string
  text: string
}

/** Documents, queries and who answers whom. The documents are read as they are needed: they may be many. */
export interface RetrievalData {
  kind: 'retrieval'
  /** As `documents()` gives them. */
  ids: string[]
  documents(): AsyncIterable<Text>
  /** Those that have judgements. */
  queries: Text[]
  qrels: Qrels
}

/** As retrieval, with two instructions for each query and judgements under each. */
export interface InstructionData extends Omit<RetrievalData, 'kind'> {
  kind: 'instructions'
  changed: Qrels
  /** (queries) */
  instructions: { original: string; changed: string }[]
  /** By query, the ids to rank, where not all are. */
  candidates: ReadonlyMap<string, readonly string[]>
}

/** Pairs of texts with a number: how similar (sts), or 1 and 0 for yes and no (pairs); or translations (bitext). */
export interface PairData {
  kind: 'sts' | 'pairs' | 'bitext'
  left: string[]
  right: string[]
  gold: number[]
}

export interface RerankingData {
  kind: 'reranking'
  rows: { queries: string[]; positive: string[]; negative: string[] }[]
}

export interface ClassificationData {
  kind: 'classification'
  train: LabelledTexts
  test: LabelledTexts
  classes: string[]
}

export interface LabelledTexts {
  texts: string[]
  /** Places in `classes`. */
  labels: number[]
}

/** Sets that are clustered on their own; one set is drawn from, ten times. */
export interface ClusteringData {
  kind: 'clustering'
  sets: LabelledTexts[]
}

export interface SummaryData {
  kind: 'summarisation'
  rows: { human: string[]; machine: string[]; scores: number[] }[]
}

export type Data =
  | RetrievalData
  | InstructionData
  | PairData
  | RerankingData
  | ClassificationData
  | ClusteringData
  | SummaryData

export type Kind = Data['kind']

export const kinds: readonly Kind[] = [
  'retrieval',
  'instructions',
  'sts',
  'pairs',
  'bitext',
  'reranking',
  'classification',
  'clustering',
  'summarisation',
]
