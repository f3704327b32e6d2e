import { measureReranked } from '../metrics/reranking.ts'
import type { RerankingData } from '../read/dataset.ts'
import { meanEstimates } from '../statistics/bootstrap.ts'
import { dot, encode, normalised } from '../vectors/matrix.ts'
import { type Context, matrixOf, type Result, shortened, type TaskOutcome } from './context.ts'
import { scoreAside } from './retrieval.ts'

export async function rerankCandidates(
  { rows }: RerankingData,
  context: Context,
): Promise<TaskOutcome> {
  const { prompts, reranker, signal, onProgress } = context
  const results: Result[] = []
  const candidates = rows.map(({ positive, negative }) =>
    [...positive, ...negative].map((text) => shortened(text, context.maxChars)),
  )
  const positive = rows.map((row) => [...row.positive.map(() => 1), ...row.negative.map(() => 0)])
  const judge = (scores: readonly (readonly number[])[]) => judgedLists(scores, positive, context)
  const queries = await matrixOf(
    context,
    rows.flatMap((row) => row.queries),
    prompts.query,
  )
  const documents = await matrixOf(context, candidates.flat(), prompts.document)
  for (const setting of context.settings) {
    const [left, right] = [
      normalised(encode(queries, setting.dimensions, 'float32')),
      normalised(encode(documents, setting.dimensions, setting.encoding)),
    ]
    let query = 0
    let document = 0
    const scores = rows.map((row, i) => {
      const own = row.queries.map(() => query++)
      return candidates[i]!.map(() => {
        const at = document++ * right.width
        return Math.max(
          ...own.map((place) =>
            Math.fround(dot(left.values, place * left.width, right.values, at, right.width)),
          ),
        )
      })
    })
    results.push({ setting, isReranked: false, ...(await judge(scores)) })
  }
  if (reranker) {
    const scores: number[][] = []
    for (const [i, row] of rows.entries()) {
      const lists: number[][] = []
      for (const asked of row.queries) {
        lists.push(
          await reranker.score(
            candidates[i]!.map((text) => [asked, text]),
            {
              truncate: 'end',
              ...(signal ? { signal } : {}),
              ...(prompts.instruction === '' ? {} : { instruction: prompts.instruction }),
            },
          ),
        )
      }
      scores.push(candidates[i]!.map((_, n) => Math.max(...lists.map((list) => list[n]!))))
      onProgress?.({ step: 'rerank', done: i + 1, total: rows.length })
    }
    results.push({ setting: context.settings[0]!, isReranked: true, ...(await judge(scores)) })
  }
  const counts = { queries: rows.length, documents: candidates.flat().length }
  return { items: rows.map((_, i) => `${i + 1}`), results, counts }
}

async function judgedLists(
  scores: readonly (readonly number[])[],
  positive: readonly (readonly number[])[],
  context: Context,
): Promise<Omit<Result, 'setting' | 'isReranked'>> {
  const { protocol } = context
  const shared = { histogram: null }
  if (protocol === 'mteb-1') {
    const each = scores.map((list, i) => measureReranked({ scores: list, positive: positive[i]! }))
    const values = { map: each.map(({ map }) => map), 'mrr@10': each.map(({ mrr }) => mrr) }
    const [map, mrr] = meanEstimates([values.map, values['mrr@10']])
    return {
      ...shared,
      main: 'map',
      metrics: { map: map!, 'mrr@10': mrr! },
      values,
      evidence: { kind: 'mean', values: values.map },
    }
  }
  const named = (lists: readonly (readonly number[])[]) =>
    new Map(lists.map((list, i) => [`${i}`, new Map(list.map((value, n) => [`${n}`, value]))]))
  const { metrics, values } = await scoreAside(
    named(positive),
    named(scores),
    ['map@1000', 'ndcg@10', 'mrr@10'],
    context,
  )
  return {
    ...shared,
    main: 'map@1000',
    metrics,
    values,
    evidence: { kind: 'mean', values: values['map@1000']! },
  }
}
