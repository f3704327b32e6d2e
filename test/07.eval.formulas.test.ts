import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cluster } from '../lib/eval/learn/k-means.ts'
import { fitAndPredict } from '../lib/eval/learn/logistic.ts'
import { experimentPlaces } from '../lib/eval/learn/samples.ts'
import { accuracy, f1 } from '../lib/eval/metrics/classes.ts'
import { pearson, spearman } from '../lib/eval/metrics/correlation.ts'
import { rank } from '../lib/eval/metrics/order.ts'
import { pMrr } from '../lib/eval/metrics/p-mrr.ts'
import { measurePairs } from '../lib/eval/metrics/pairs.ts'
import { vMeasure } from '../lib/eval/metrics/v-measure.ts'
import { score } from '../lib/eval/score.ts'
import { meanEstimate } from '../lib/eval/statistics/bootstrap.ts'
import { MersenneTwister } from '../lib/eval/statistics/mersenne.ts'
import { holm, mcNemar, signFlip } from '../lib/eval/statistics/tests.ts'

// What pytrec_eval, scikit-learn, scipy, statsmodels, ranx and mteb say; make_metrics.py beside it names the command.
const golden = JSON.parse(
  readFileSync(new URL('fixtures/eval/metrics.json', import.meta.url), 'utf8'),
)

describe('retrieval', () => {
  const names = {
    'ndcg@1': 'ndcg_cut_1',
    'ndcg@3': 'ndcg_cut_3',
    'ndcg@5': 'ndcg_cut_5',
    'ndcg@10': 'ndcg_cut_10',
    ndcg: 'ndcg',
    'map@3': 'map_cut_3',
    'map@10': 'map_cut_10',
    map: 'map',
    'recall@3': 'recall_3',
    'recall@10': 'recall_10',
    'precision@3': 'P_3',
    'precision@10': 'P_10',
    mrr: 'recip_rank',
    'success@1': 'success_1',
    'success@5': 'success_5',
  }

  it('is pytrec_eval, query by query, with ties, negative grades and ids in any script', () => {
    const { qrels, run, values } = golden.retrieval
    const found = score(qrels, run, { metrics: Object.keys(names), missing: 'skip' })
    expect([...found.queries].sort()).toEqual(Object.keys(values).sort())
    for (const [ours, theirs] of Object.entries(names)) {
      for (const [i, query] of found.queries.entries()) {
        expect(found.values[ours]![i], `${query} ${ours}`).toBeCloseTo(values[query][theirs], 12)
      }
    }
  })

  it('is ranx where nothing is tied', () => {
    const { qrels, run, means } = golden.ranx
    const metrics = ['ndcg@10', 'map@10', 'mrr@10', 'recall@10', 'precision@5', 'success@5']
    const found = score(qrels, run, { metrics })
    for (const name of metrics) {
      const theirs = means[name.replace('success', 'hit_rate')]
      expect(found.metrics[name]!.value, name).toBeCloseTo(theirs, 12)
    }
  })

  // trec_eval 9.0.8's own output for these lines, to its four digits.
  const qrels = {
    q1: { d1: 3, d2: 1, d3: 0, d4: 2, d9: 1 },
    q2: { d1: 1, d5: -1 },
    q3: { d1: 0, d2: 0 },
    q4: { d7: 1 },
  }
  const run = {
    q1: { d3: 0.9, d2: 0.8, d1: 0.8, d8: 0.8, d4: 0.7000000001, d6: 0.7000000002 },
    q2: { d5: 0.50000001, d1: 0.50000002, d3: 0.1 },
    q3: { d1: 0.3 },
    q5: { d1: 0.3 },
  }
  const metrics = [
    'ndcg@1',
    'ndcg@3',
    'ndcg@5',
    'ndcg@10',
    'map@3',
    'map@10',
    'recall@3',
    'recall@10',
    'precision@3',
    'precision@10',
    'mrr',
  ]

  it('is trec_eval 9.0.8 to the digit, where order by doubles would differ', () => {
    const { values, metrics: means } = score(qrels, run, { metrics, missing: 'skip' })
    const table = [
      [0, 0.105, 0.3451, 0.4823, 0.0833, 0.3333, 0.25, 0.75, 0.3333, 0.3, 0.3333],
      [0, 0.6309, 0.6309, 0.6309, 0.5, 0.5, 1, 1, 0.3333, 0.1, 0.5],
      [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ]
    for (const [query, row] of table.entries()) {
      for (const [i, value] of row.entries())
        expect(values[metrics[i]!]![query]).toBeCloseTo(value, 4)
    }
    const mean = [0, 0.2453, 0.3253, 0.3711, 0.1944, 0.2778, 0.4167, 0.5833, 0.2222, 0.1333, 0.2778]
    for (const [i, value] of mean.entries()) expect(means[metrics[i]!]!.value).toBeCloseTo(value, 4)
    expect(rank(new Map(Object.entries(run.q1)), 'q1')).toEqual([
      'd3',
      'd8',
      'd2',
      'd1',
      'd6',
      'd4',
    ])
  })

  it('counts missing queries as 0 and says so', () => {
    const { metrics: means, remarks } = score(qrels, run, { metrics: ['ndcg@10', 'map@10'] })
    expect(means['ndcg@10']!.value).toBeCloseTo(0.2783, 4)
    expect(means['map@10']!.value).toBeCloseTo(0.2083, 4)
    expect(remarks.map(({ code, count }) => [code, count])).toEqual([
      ['nothing-relevant', 1],
      ['missing-query', 1],
      ['unjudged-query', 1],
    ])
  })

  it('agrees with a second implementation on 500 random runs', () => {
    const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'é', '\u{1F600}', '\uFFFD']
    const scores = fc.dictionary(
      fc.constantFrom(...ids),
      fc.constantFrom(0.1, 0.2, 0.30000001, 0.3, 0.5),
    )
    const grades = fc.dictionary(fc.constantFrom(...ids), fc.integer({ min: -1, max: 4 }), {
      minKeys: 1,
    })
    const queries = fc.array(fc.tuple(grades, fc.option(scores)), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(queries, fc.integer({ min: 1, max: 8 }), (made, cut) => {
        const qrels = Object.fromEntries(made.map(([grades], i) => [`q${i}`, grades]))
        const run = Object.fromEntries(
          made.flatMap(([, found], i) => (found ? [[`q${i}`, found]] : [])),
        )
        fc.pre(Object.keys(run).length > 0)
        const found = score(qrels, run, {
          metrics: [`ndcg@${cut}`, `map@${cut}`, `mrr@${cut}`, `recall@${cut}`],
        })
        for (const [i, [grades, scores]] of made.entries()) {
          const second = plain(grades, scores ?? {}, cut)
          for (const [name, value] of Object.entries(second)) {
            expect(Math.abs(found.values[`${name}@${cut}`]![i]! - value)).toBeLessThan(1e-12)
          }
        }
      }),
      { numRuns: 500 },
    )
  })

  it('names the query of a score that is no number, and metrics that are none', () => {
    expect(() => score({ q: { a: 1 } }, { q: { a: Number.NaN } })).toThrow(/document a for query q/)
    expect(() => score({ q: { a: 1 } }, { q: { a: 1 } }, { metrics: ['ndgc@10'] })).toThrow(
      /Did you mean ndcg@10/,
    )
    expect(() => score({ q: { a: 1 } }, { p: { a: 1 } })).toThrow(
      /No query of the run has judgements/,
    )
  })
})

/** The definitions, written the slow way: no shared line with the package. */
function plain(grades: Record<string, number>, scores: Record<string, number>, cut: number) {
  const order = Object.entries(scores)
    .map(([id, value]) => ({ id, value: Math.fround(value) }))
    .sort((a, b) =>
      a.value === b.value
        ? Buffer.compare(Buffer.from(b.id), Buffer.from(a.id))
        : b.value - a.value,
    )
    .slice(0, cut)
  const gain = (id: string) => ((grades[id] ?? 0) > 0 ? grades[id]! : 0)
  const all = Object.keys(grades).filter((id) => gain(id) > 0)
  const dcg = (gains: number[]) =>
    gains.reduce((sum, g, i) => sum + g / (Math.log(i + 2) / Math.log(2)), 0)
  const best = dcg(
    all
      .map(gain)
      .sort((a, b) => b - a)
      .slice(0, cut),
  )
  const right = order.map(({ id }) => gain(id) > 0)
  const precisionAt = (i: number) => right.slice(0, i + 1).filter(Boolean).length / (i + 1)
  const sum = right.reduce((total, isRight, i) => total + (isRight ? precisionAt(i) : 0), 0)
  const R = all.length
  return {
    ndcg: R ? dcg(order.map(({ id }) => gain(id))) / best : 0,
    map: R ? sum / R : 0,
    mrr: right.includes(true) ? 1 / (right.indexOf(true) + 1) : 0,
    recall: R ? right.filter(Boolean).length / R : 0,
  }
}

describe('other tasks', () => {
  it('correlate as scipy does, and refuse constants', () => {
    const { a, b, ...theirs } = golden.correlation
    expect(spearman(a, b)).toBeCloseTo(theirs.spearman, 12)
    expect(pearson(a, b)).toBeCloseTo(theirs.pearson, 12)
    expect(() => spearman([1, 1, 1], [1, 2, 3])).toThrow(/all 3 on one side are equal/)
  })

  it('judge pairs as scikit-learn does', () => {
    const { scores, labels, ap, accuracy, f1 } = golden.pairs
    const found = measurePairs(scores, labels)
    expect(found.ap).toBeCloseTo(ap, 12)
    expect(found.accuracy).toBeCloseTo(accuracy, 12)
    expect(found.f1).toBeCloseTo(f1, 12)
  })

  it('count classes and clusters as scikit-learn does', () => {
    const { gold, predicted, ...theirs } = golden.classes
    expect(accuracy(gold, predicted)).toBeCloseTo(theirs.accuracy, 12)
    expect(f1(gold, predicted, 'macro')).toBeCloseTo(theirs.macro, 12)
    expect(f1(gold, predicted, 'weighted')).toBeCloseTo(theirs.weighted, 12)
    expect(vMeasure(gold, predicted)).toBeCloseTo(theirs.v, 12)
  })

  it('see p-MRR as mteb does', () => {
    const { before, after, removed, value } = golden.pmrr
    const ranked = (scores: Record<string, number>) => rank(new Map(Object.entries(scores)), '')
    const values = Object.entries<string[]>(removed).map(([query, ids]) =>
      pMrr(ranked(before[`${query}-og`]), ranked(after[`${query}-changed`]), ids),
    )
    expect(values.reduce((a, b) => a + b) / values.length).toBeCloseTo(value, 12)
    expect(pMrr(['a'], [], ['a'])).toBe(0)
  })
})

describe('learning', () => {
  it('shuffles and draws as numpy', () => {
    const ten = Array.from({ length: 10 }, (_, i) => i)
    new MersenneTwister(42).shuffle(ten)
    expect(ten).toEqual([8, 1, 5, 0, 7, 2, 9, 4, 3, 6])
    expect(ten).toEqual(golden.shuffle.ten42)
    const thousand = Array.from({ length: 1000 }, (_, i) => i)
    new MersenneTwister(7).shuffle(thousand)
    expect(thousand).toEqual(golden.shuffle.thousand7)
    const random = new MersenneTwister(7)
    expect([1, 2, 3, 4].map(() => random.random())).toEqual(golden.shuffle.random7)
  })

  it("takes the training texts of mteb's ten experiments", () => {
    expect(experimentPlaces(golden.experiments.labels)).toEqual(golden.experiments.places)
  })

  it.each(
    golden.logistic as {
      classes: number
      width: number
      train: number[]
      labels: number[]
      test: number[]
      predicted: number[]
    }[],
  )(
    'predicts as scikit-learn: $classes classes',
    ({ classes, width, train, labels, test, predicted }) => {
      const matrix = (values: number[]) => ({
        values: Float32Array.from(values),
        rows: values.length / width,
        width,
      })
      const places = labels.map((_, i) => i)
      expect(
        Array.from(fitAndPredict(matrix(train), places, labels, classes, matrix(test))),
      ).toEqual(predicted)
    },
  )

  it("clusters within a point of scikit-learn's mini-batches", () => {
    const { points, labels, v } = golden.clusters
    const data = {
      values: Float32Array.from(points),
      rows: labels.length,
      width: points.length / labels.length,
    }
    const ours = Array.from({ length: 30 }, (_, seed) =>
      vMeasure(labels, cluster(data, { clusters: 12, seed, algorithm: 'mini-batch' })),
    )
    const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length
    expect(Math.abs(mean(ours) - mean(v))).toBeLessThan(0.01)
    const again = vMeasure(
      labels,
      cluster(data, { clusters: 12, seed: 3, algorithm: 'mini-batch' }),
    )
    expect(again).toBe(ours[3])
    const lloyd = Array.from({ length: 5 }, (_, seed) =>
      vMeasure(labels, cluster(data, { clusters: 12, seed, algorithm: 'lloyd' })),
    )
    expect(mean(lloyd)).toBeGreaterThan(mean(ours) - 0.02)
  })
})

describe('statistics', () => {
  it('are those of statsmodels', () => {
    for (const { a, b, p } of golden.mcnemar) expect(mcNemar(a, b)).toBeCloseTo(p, 10)
    const adjusted = holm(golden.holm.p)
    for (const [i, p] of golden.holm.adjusted.entries()) expect(adjusted[i]).toBeCloseTo(p, 12)
  })

  it('throw signs as often as all throws say', () => {
    const { differences, exact } = golden.signFlip
    // Three standard errors of 10,000 throws.
    const error = 3 * Math.sqrt((exact * (1 - exact)) / 10_000)
    expect(Math.abs(signFlip(differences) - exact)).toBeLessThan(error)
    expect(signFlip([0, 0, 0])).toBe(1)
  })

  it('give the normal interval where it holds', () => {
    const { values, low, high } = golden.interval
    const found = meanEstimate(values)
    expect(Math.abs(found.low - low)).toBeLessThan(0.006)
    expect(Math.abs(found.high - high)).toBeLessThan(0.006)
  })
})
