import { entry } from '../entry.ts'
import { accuracy } from '../metrics/classes.ts'
import { pearson, spearman } from '../metrics/correlation.ts'
import { averagePrecision, measurePairs } from '../metrics/pairs.ts'
import type { PairData } from '../read/dataset.ts'
import { wrongData } from '../read/remarks.ts'
import { histogramOf } from '../report/histogram.ts'
import { type Estimate, meanEstimate } from '../statistics/bootstrap.ts'
import { compute } from '../vectors/compute.ts'
import { encode, type Matrix, normalised } from '../vectors/matrix.ts'
import {
  type Context,
  matrixOf,
  type Result,
  type Setting,
  shortened,
  type TaskOutcome,
} from './context.ts'

export async function judgePairs(data: PairData, context: Context): Promise<TaskOutcome> {
  const cut = (texts: readonly string[]) => texts.map((text) => shortened(text, context.maxChars))
  const left = await matrixOf(context, cut(data.left), context.prompts.query)
  const right = await matrixOf(context, cut(data.right), context.prompts.document)
  const results: Result[] = []
  for (const setting of context.settings) {
    const sides = [left, right].map((side) =>
      normalised(encode(side, setting.dimensions, setting.encoding)),
    )
    const judge = { sts, pairs, bitext }[data.kind]
    results.push({
      setting,
      isReranked: false,
      ...(await judge(data, sides[0]!, sides[1]!, setting, context)),
    })
  }
  return {
    items: data.left.map((_, i) => `${i + 1}`),
    results,
    counts: { pairs: data.left.length },
  }
}

type Judged = Omit<Result, 'setting' | 'isReranked'>

async function sts(
  { gold }: PairData,
  left: Matrix,
  right: Matrix,
  _: Setting,
  context: Context,
): Promise<Judged> {
  const { cosine } = await compute({ kind: 'similarities', left, right }, context.signal)
  const predicted = Array.from(cosine)
  // Constant sides are an error of the data, but only a gap in a resample.
  const value = { spearman: spearman(predicted, gold), pearson: pearson(predicted, gold) }
  const spread = (statistic: 'spearman' | 'pearson') =>
    compute({ kind: 'spread', statistic, a: predicted, b: gold }, context.signal)
  const [ranks, plain] = await Promise.all([spread('spearman'), spread('pearson')])
  return {
    main: 'spearman',
    metrics: {
      spearman: { ...ranks, value: value.spearman },
      pearson: { ...plain, value: value.pearson },
    },
    values: {},
    evidence: { kind: 'spearman', predicted, gold },
    histogram: null,
  }
}

async function pairs(
  { gold }: PairData,
  left: Matrix,
  right: Matrix,
  _: Setting,
  context: Context,
): Promise<Judged> {
  if (!gold.includes(1) || !gold.includes(0))
    throw wrongData('Expected pairs with the label 1 and pairs with 0')
  const found = await compute({ kind: 'similarities', left, right }, context.signal)
  const cosine = Array.from(found.cosine)
  const measured = measurePairs(cosine, gold)
  const isRight = cosine.map((score, i) =>
    Number(score > measured.accuracyThreshold) === gold[i] ? 1 : 0,
  )
  const ap = await compute({ kind: 'spread', statistic: 'ap', a: cosine, b: gold }, context.signal)
  const most = Math.max(...Object.values(found).map((scores) => averagePrecision(scores, gold)))
  return {
    main: 'ap',
    metrics: {
      ap,
      'max-ap': alone(most),
      accuracy: alone(measured.accuracy),
      f1: alone(measured.f1),
    },
    values: {},
    evidence: { kind: 'ap', scores: cosine, positive: gold, right: isRight },
    histogram: histogramOf(cosine, gold),
  }
}

async function bitext(
  data: PairData,
  left: Matrix,
  right: Matrix,
  _: Setting,
  context: Context,
): Promise<Judged> {
  const found = await compute({ kind: 'first', left, right }, context.signal)
  // Equal texts on the right are one target.
  const targets = new Map<string, number>()
  const gold = data.right.map((text) => entry(targets, text, () => targets.size))
  const predicted = Int32Array.from(found, (place) => gold[place]!)
  const values = gold.map((target, i) => (predicted[i] === target ? 1 : 0))
  return {
    main: 'f1',
    metrics: {
      f1: await compute({ kind: 'spread', statistic: 'f1', a: gold, b: predicted }, context.signal),
      accuracy: { ...meanEstimate(values), value: accuracy(gold, predicted) },
    },
    values: { accuracy: values },
    evidence: { kind: 'mean', values },
    histogram: null,
  }
}

/** Without an interval: a maximum over thresholds has none of use. */
function alone(value: number): Estimate {
  return { value, low: value, high: value }
}
