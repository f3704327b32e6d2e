import { compareBytes } from '../metrics/order.ts'
import { pMrr } from '../metrics/p-mrr.ts'
import type { InstructionData, RetrievalData, Text } from '../read/dataset.ts'
import { histogramOf } from '../report/histogram.ts'
import { type ByQuery, measureRun, type Score, scored } from '../score.ts'
import { meanEstimate } from '../statistics/bootstrap.ts'
import { compute, search } from '../vectors/compute.ts'
import { encode } from '../vectors/matrix.ts'
import { loadVectors, type Prompt, type VectorFile } from '../vectors/store.ts'
import {
  type Context,
  type Result,
  type Setting,
  shortened,
  type TaskOutcome,
  vectorsOf,
} from './context.ts'
import { rerankAll } from './rerank.ts'

/** As mteb: so many are kept for each query before anything is scored. */
const kept = 1_000
const main = 'ndcg@10'

/** By query, documents with their scores, best first. */
export type Ranked = Map<string, (readonly [string, number])[]>

export async function retrieve(data: RetrievalData, context: Context): Promise<TaskOutcome> {
  const documents = await documentVectors(data, context)
  const results: Result[] = []
  const items = data.queries.map(({ id }) => id)
  const counts = {
    documents: data.ids.length,
    queries: items.length,
    judgements: judgementsIn(data),
  }
  for (const setting of context.settings) {
    const found = await find(data, data.queries, documents, context.prompts.query, setting, context)
    results.push(await judged(data, found, setting, context, false))
    if (!context.reranker) continue
    const reranked = await rerankAll(data, found, context.reranker, context)
    results.push(await judged(data, reranked, setting, context, true))
  }
  return { items, results, counts }
}

/** FollowIR: how far documents fall that the changed instruction made irrelevant, and nDCG under the original one. */
export async function followInstructions(
  data: InstructionData,
  context: Context,
): Promise<TaskOutcome> {
  const documents = await documentVectors(data, context)
  const asked = (which: 'original' | 'changed') =>
    data.queries.map(({ id, text }, i) => ({ id, text: `${text} ${data.instructions[i]![which]}` }))
  const removed = data.queries.map(({ id }) =>
    [...data.qrels.get(id)!]
      .filter(
        ([document, grade]) => grade >= 1 && !((data.changed.get(id)?.get(document) ?? 0) >= 1),
      )
      .map(([document]) => document),
  )
  const counted = data.queries.map((_, i) => i).filter((i) => removed[i]!.length > 0)
  const results: Result[] = []
  for (const setting of context.settings) {
    const before = await find(
      data,
      asked('original'),
      documents,
      context.prompts.query,
      setting,
      context,
    )
    const after = await find(
      data,
      asked('changed'),
      documents,
      context.prompts.query,
      setting,
      context,
    )
    const ids = (found: Ranked, i: number) =>
      found.get(data.queries[i]!.id)!.map(([document]) => document)
    const values = counted.map((i) => pMrr(ids(before, i), ids(after, i), removed[i]!))
    const plain = await scoreAside(data.qrels, scoresOf(before), [main], context)
    results.push({
      setting,
      isReranked: false,
      main: 'p-mrr',
      metrics: { 'p-mrr': meanEstimate(values), [main]: plain.metrics[main]! },
      values: { 'p-mrr': values },
      evidence: { kind: 'mean', values },
      histogram: null,
    })
  }
  const counts = {
    documents: data.ids.length,
    queries: data.queries.length,
    changedQueries: counted.length,
  }
  return { items: counted.map((i) => data.queries[i]!.id), results, counts }
}

function documentVectors(
  data: RetrievalData | InstructionData,
  context: Context,
): Promise<VectorFile> {
  const texts = async function* () {
    for await (const { text } of data.documents()) yield shortened(text, context.maxChars)
  }
  return vectorsOf(context, texts, context.prompts.document, 'documents')
}

async function find(
  data: RetrievalData | InstructionData,
  queries: readonly Text[],
  documents: VectorFile,
  prompt: Prompt,
  { dimensions, encoding }: Setting,
  context: Context,
): Promise<Ranked> {
  const { signal, onProgress } = context
  const vectors = await loadVectors(
    await vectorsOf(context, () => queries.map(({ text }) => text), prompt, 'queries'),
  )
  const candidates = 'candidates' in data ? data.candidates : undefined
  // Of candidates given beforehand all are ranked.
  const top = candidates?.size ? data.ids.length : Math.min(kept, data.ids.length)
  const { rows, scores } = await search(
    {
      path: documents.path,
      width: documents.width,
      order: orderOf(data.ids),
      dimensions,
      encoding,
      queries: encode(vectors, dimensions, 'float32'),
      top,
    },
    { signal, onProgress: (done, total) => onProgress?.({ step: 'search', done, total }) },
  )
  const found: Ranked = new Map()
  for (const [query, { id }] of queries.entries()) {
    const allowed = candidates?.has(id) ? new Set(candidates.get(id)) : undefined
    const list: (readonly [string, number])[] = []
    for (let i = query * top; i < (query + 1) * top && rows[i]! >= 0; i++) {
      const document = data.ids[rows[i]!]!
      if (context.ignoreIdentical && document === id) continue
      if (!allowed || allowed.has(document)) list.push([document, scores[i]!])
    }
    found.set(id, list)
  }
  return found
}

async function judged(
  data: RetrievalData,
  found: Ranked,
  setting: Setting,
  context: Context,
  isReranked: boolean,
): Promise<Result> {
  const wanted = [...new Set([main, ...(context.metrics ?? []), ...standard(context, isReranked)])]
  const { metrics, values } = await scoreAside(data.qrels, scoresOf(found), wanted, context)
  const pairs = [...found].flatMap(([query, list]) =>
    list.slice(0, 100).map(([document, value]) => ({
      value,
      positive: (data.qrels.get(query)?.get(document) ?? 0) >= 1 ? 1 : 0,
    })),
  )
  return {
    setting,
    isReranked,
    main: context.metrics?.[0] ?? main,
    metrics,
    values,
    evidence: { kind: 'mean', values: values[context.metrics?.[0] ?? main]! },
    histogram: histogramOf(
      pairs.map(({ value }) => value),
      pairs.map(({ positive }) => positive),
    ),
    run: found,
  }
}

/** As `score`, its resamples on another thread. */
export async function scoreAside(
  qrels: ByQuery,
  run: ByQuery,
  metrics: readonly string[],
  { signal }: Pick<Context, 'signal'>,
): Promise<Score> {
  const measured = measureRun(qrels, run, { metrics })
  return scored(measured, await compute({ kind: 'means', rows: measured.rows }, signal))
}

/** With a reranker also what bounds it: how much of what is relevant reached it. */
function standard({ top, reranker, metrics }: Context, isReranked: boolean): string[] {
  const own = metrics
    ? []
    : ['map@100', 'mrr@10', 'recall@10', 'recall@100', 'precision@10', 'success@1']
  return reranker && !isReranked ? [...own, `recall@${top}`] : own
}

function scoresOf(found: Ranked): Map<string, Map<string, number>> {
  return new Map([...found].map(([query, list]) => [query, new Map(list)]))
}

/** For each document its place among all ids, highest bytes first: how equal scores are ordered. */
function orderOf(ids: readonly string[]): Int32Array {
  const places = ids.map((_, i) => i).sort((a, b) => compareBytes(ids[b]!, ids[a]!))
  const order = new Int32Array(ids.length)
  for (const [rank, place] of places.entries()) order[place] = rank
  return order
}

function judgementsIn({ qrels }: RetrievalData): number {
  return [...qrels.values()].reduce((sum, grades) => sum + grades.size, 0)
}
