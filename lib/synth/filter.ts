// Which made-up pairs are kept, and on which side of the split a document stands.
import type { Embedder, Reranker } from '../index.ts'
import { type Corpus, cosine, type NearOptions, nearest, queriesOf } from '../pairs/near.ts'
import { randomOf } from '../pairs/random.ts'
import type { Reason, SynthRow } from './row.ts'

export interface FilterOptions {
  /** Of queries for one document, nearer ones than this are one. */
  nearQueries: number
  /** Least cosine of query and passage; 'auto': what keeps the best 60% of the first 500. */
  minCosine: number | 'auto' | undefined
  /** The passage must be among the first so many for its query. */
  roundTrip: number | undefined
  /** Most queries a passage. */
  perPassage: number
  reranker: Reranker | undefined
}

export interface Filtered {
  rows: SynthRow[]
  dropped: Record<Reason, number>
  /** That was used, where one was. */
  minCosine: number | undefined
}

export async function filterRows(
  rows: readonly SynthRow[],
  embedder: Embedder,
  corpus: Corpus,
  /** (rows): the passage of each, in the corpus. */
  passages: readonly number[],
  options: FilterOptions & NearOptions,
): Promise<Filtered> {
  const dropped: Record<Reason, number> = {
    repeated: 0,
    near: 0,
    cosine: 0,
    roundTrip: 0,
    judge: 0,
    balance: 0,
    form: 0,
  }
  const queries = await queriesOf(
    embedder,
    rows.map(({ query }) => query),
    options,
  )
  const cosines = rows.map((_, i) => cosine(queries, i, corpus.vectors, passages[i]!))
  const least =
    options.minCosine === 'auto' ? bestPart(cosines.slice(0, 500), 0.6) : options.minCosine
  const isAsked = options.roundTrip !== undefined
  const top = Math.min(options.roundTrip ?? 1, corpus.file.rows)
  const found = isAsked ? await nearest(corpus, queries, top, options) : undefined
  const texts = new Set<string>()
  const keptOf = new Map<string, number[]>()
  const perPassage = new Map<string, number>()
  const kept: SynthRow[] = []
  for (const [i, row] of rows.entries()) {
    const rank = found ? found.rows.subarray(i * top, (i + 1) * top).indexOf(passages[i]!) : -1
    const of = keptOf.get(row.source.document) ?? []
    const reason = ((): Reason | undefined => {
      const same = row.query.normalize('NFKC').toLowerCase().trim()
      if (texts.has(same)) return 'repeated'
      if (of.some((other) => cosine(queries, i, queries, other) > options.nearQueries))
        return 'near'
      if (least !== undefined && cosines[i]! < least) return 'cosine'
      if (found && rank < 0) return 'roundTrip'
      if ((perPassage.get(row.positive_id) ?? 0) >= options.perPassage) return 'balance'
      texts.add(same)
      return undefined
    })()
    const judged =
      reason === undefined && options.reranker
        ? (await options.reranker.score([[row.query, row.positive]], { truncate: 'end' }))[0]
        : undefined
    if (reason !== undefined || (judged !== undefined && judged < 0.5)) {
      dropped[reason ?? 'judge']++
      continue
    }
    of.push(i)
    keptOf.set(row.source.document, of)
    perPassage.set(row.positive_id, (perPassage.get(row.positive_id) ?? 0) + 1)
    kept.push({
      ...row,
      source: {
        ...row.source,
        cosine: cosines[i]!,
        ...(found ? { rank: rank + 1 } : {}),
        ...(judged === undefined ? {} : { p_yes: judged }),
      },
    })
  }
  return { rows: kept, dropped, minCosine: least }
}

function bestPart(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => b - a)
  return sorted[Math.max(0, Math.floor(part * sorted.length) - 1)] ?? -1
}

/**
 * Documents that are held out: a part of them by the seed, whole, and with each every document that is nearly one of
 * them, so that nothing that is judged was learnt from.
 */
export async function heldOut(
  documents: readonly string[],
  passages: readonly { document: string }[],
  corpus: Corpus,
  part: number,
  seed: number,
  options: NearOptions,
): Promise<Set<string>> {
  const group = new Map(documents.map((id) => [id, id]))
  const rootOf = (id: string): string => {
    const up = group.get(id)!
    return up === id ? id : rootOf(up)
  }
  const top = Math.min(5, corpus.file.rows)
  const twins = await nearest(corpus, corpus.vectors, top, options)
  for (const [i, { document }] of passages.entries()) {
    for (let t = 0; t < top; t++) {
      const other = twins.rows[i * top + t]!
      if (other < 0 || twins.scores[i * top + t]! <= 0.95) continue
      const [a, b] = [rootOf(document), rootOf(passages[other]!.document)].sort()
      group.set(b!, a!)
    }
  }
  const groups = [...new Set(documents.map(rootOf))]
  const random = randomOf(seed)
  const order = groups.map((id) => ({ id, at: random() })).sort((a, b) => a.at - b.at)
  const chosen = new Set(order.slice(0, Math.round(part * order.length)).map(({ id }) => id))
  return new Set(documents.filter((id) => chosen.has(rootOf(id))))
}
