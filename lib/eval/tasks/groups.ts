// Classification, clustering, reranking and summaries.
import { accuracy, f1 } from '../metrics/classes.ts'
import { averageRanks, correlation } from '../metrics/correlation.ts'
import { measureReranked } from '../metrics/reranking.ts'
import type {
  ClassificationData,
  ClusteringData,
  RerankingData,
  SummaryData,
} from '../read/dataset.ts'
import { wrongData } from '../read/remarks.ts'
import { mean, meanEstimate, meanEstimates } from '../statistics/bootstrap.ts'
import { compute } from '../vectors/compute.ts'
import { dot, encode, normalised } from '../vectors/matrix.ts'
import { type Context, matrixOf, type Result, shortened, type TaskOutcome } from './context.ts'
import { scoreAside } from './retrieval.ts'

export async function classify(
  { train, test, classes }: ClassificationData,
  context: Context,
): Promise<TaskOutcome> {
  const { prompts, settings, signal, onProgress } = context
  const [learned, judged] = await Promise.all(
    [train, test].map(({ texts }) =>
      matrixOf(
        context,
        texts.map((text) => shortened(text, context.maxChars)),
        prompts.query,
      ),
    ),
  )
  const results: Result[] = []
  for (const [done, setting] of settings.entries()) {
    const { dimensions, encoding } = setting
    onProgress?.({ step: 'arithmetic', done, total: settings.length })
    const predicted = await compute(
      {
        kind: 'classes',
        train: normalised(encode(learned!, dimensions, encoding)),
        labels: train.labels,
        classes: classes.length,
        test: normalised(encode(judged!, dimensions, encoding)),
      },
      signal,
    )
    // Of each text, in how many of the experiments it was put right.
    const values = test.labels.map((label, i) =>
      mean(predicted.map((one) => Number(one[i] === label))),
    )
    const scores = predicted.map((one) => f1(test.labels, one, 'macro'))
    const macro = mean(scores)
    results.push({
      setting,
      isReranked: false,
      main: 'accuracy',
      metrics: {
        accuracy: {
          ...meanEstimate(values),
          value: mean(predicted.map((one) => accuracy(test.labels, one))),
        },
        'macro-f1': { value: macro, low: Math.min(...scores), high: Math.max(...scores) },
      },
      values: { accuracy: values },
      evidence: { kind: 'mean', values },
      histogram: null,
    })
  }
  const counts = {
    classes: classes.length,
    trainingTexts: train.texts.length,
    texts: test.texts.length,
  }
  return { items: test.texts.map((_, i) => `${i + 1}`), results, counts }
}

const rounds = 10
const mostTexts = 16_384

export async function clusterTexts(
  { sets }: ClusteringData,
  context: Context,
): Promise<TaskOutcome> {
  const { prompts, settings, signal, algorithm, onProgress } = context
  const isOne = sets.length === 1
  const vectors = []
  for (const { texts } of sets)
    vectors.push(
      await matrixOf(
        context,
        texts.map((text) => shortened(text, context.maxChars)),
        prompts.query,
      ),
    )
  const results: Result[] = []
  for (const setting of settings) {
    const values: number[] = []
    for (const [i, { labels }] of sets.entries()) {
      onProgress?.({ step: 'arithmetic', done: i, total: sets.length })
      const data = encode(vectors[i]!, setting.dimensions, setting.encoding)
      const work = { kind: 'clusters' as const, data, labels, algorithm }
      // One set is drawn from ten times; of several each is clustered whole, by three seeds.
      const found = await compute(
        isOne
          ? { ...work, rounds, sample: Math.min(mostTexts, data.rows) }
          : { ...work, rounds: 3, sample: 0 },
        signal,
      )
      values.push(...(isOne ? found : [mean(found)]))
    }
    results.push({
      setting,
      isReranked: false,
      main: 'v-measure',
      metrics: { 'v-measure': meanEstimate(values) },
      values: { 'v-measure': values },
      evidence: { kind: 'mean', values },
      histogram: null,
    })
  }
  const items = isOne
    ? Array.from({ length: rounds }, (_, i) => `drawn ${i + 1}`)
    : sets.map((_, i) => `set ${i + 1}`)
  return {
    items,
    results,
    counts: { sets: sets.length, texts: sets.reduce((sum, { texts }) => sum + texts.length, 0) },
  }
}

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

export async function judgeSummaries(
  { rows }: SummaryData,
  context: Context,
): Promise<TaskOutcome> {
  const human = await matrixOf(
    context,
    rows.flatMap((row) => row.human),
    context.prompts.query,
  )
  const machine = await matrixOf(
    context,
    rows.flatMap((row) => row.machine),
    context.prompts.query,
  )
  const results: Result[] = []
  const items = rows.map((_, i) => `${i + 1}`)
  for (const setting of context.settings) {
    const [model, made] = [human, machine].map((side) =>
      normalised(encode(side, setting.dimensions, setting.encoding)),
    )
    let first = 0
    let place = 0
    const values: number[] = []
    for (const row of rows) {
      const own = row.human.map((_, i) => first + i)
      first += row.human.length
      const cosines = row.machine.map(() => {
        const at = place++ * made!.width
        return Math.max(
          ...own.map((i) =>
            Math.fround(dot(model!.values, i * model!.width, made!.values, at, made!.width)),
          ),
        )
      })
      const value = correlation(averageRanks(cosines), averageRanks(row.scores))
      if (Number.isNaN(value))
        context.remarks.add(
          'constant-scores',
          'samples have equal scores throughout and were left out',
          `${values.length + 1}`,
        )
      else values.push(value)
    }
    if (values.length === 0)
      throw wrongData('Every sample has equal scores throughout: there is nothing to correlate')
    results.push({
      setting,
      isReranked: false,
      main: 'spearman',
      metrics: { spearman: meanEstimate(values) },
      values: { spearman: values },
      evidence: { kind: 'mean', values },
      histogram: null,
    })
  }
  return { items, results, counts: { samples: rows.length } }
}
