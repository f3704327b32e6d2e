import { cluster } from '../learn/k-means.ts'
import { fitAndPredict } from '../learn/logistic.ts'
import { experimentPlaces } from '../learn/samples.ts'
import { vMeasure } from '../metrics/v-measure.ts'
import { type Estimate, meanEstimates } from '../statistics/bootstrap.ts'
import { MersenneTwister } from '../statistics/mersenne.ts'
import { type Statistic, spreadOf } from '../statistics/resampled.ts'
import { dot, type Matrix } from './matrix.ts'
import { type Nearest, type NearestTask, nearest } from './nearest.ts'

/** (pairs) each */
export interface Similarities {
  cosine: Float64Array
  dot: Float64Array
  euclidean: Float64Array
  manhattan: Float64Array
}

export type Work =
  | NearestTask
  | { kind: 'means'; rows: readonly (readonly number[])[] }
  | { kind: 'spread'; statistic: Statistic; a: ArrayLike<number>; b: ArrayLike<number> }
  | { kind: 'similarities'; left: Matrix; right: Matrix }
  | { kind: 'first'; left: Matrix; right: Matrix }
  | { kind: 'classes'; train: Matrix; labels: number[]; classes: number; test: Matrix }
  | {
      kind: 'clusters'
      data: Matrix
      labels: number[]
      algorithm: 'mini-batch' | 'lloyd'
      rounds: number
      sample: number
    }

export interface Answers {
  nearest: Nearest
  /** Of each row. */
  means: Estimate[]
  spread: Estimate
  similarities: Similarities
  /** For each left row the right one with the largest product; the first of equals. */
  first: Int32Array
  /** (experiments)(test rows) */
  classes: Int32Array[]
  /** V-measure of each round. */
  clusters: number[]
}

export function run(work: Work): Answers[keyof Answers] {
  switch (work.kind) {
    case 'nearest':
      return nearest(work)
    case 'means':
      return meanEstimates(work.rows)
    case 'spread':
      return spreadOf(work.statistic, work.a, work.b)
    case 'similarities':
      return similarities(work.left, work.right)
    case 'first':
      return first(work.left, work.right)
    case 'classes':
      return experimentPlaces(work.labels).map((places) => {
        const labels = places.map((place) => work.labels[place]!)
        return fitAndPredict(work.train, places, labels, work.classes, work.test)
      })
    case 'clusters':
      return clusters(work)
  }
}

/** Negated distances, so that more is nearer everywhere. Both sides have unit length in the cosine only. */
function similarities(left: Matrix, right: Matrix): Similarities {
  const { rows, width } = left
  const made = () => new Float64Array(rows)
  const found = { cosine: made(), dot: made(), euclidean: made(), manhattan: made() }
  for (let row = 0; row < rows; row++) {
    const at = row * width
    const product = dot(left.values, at, right.values, at, width)
    const lengths = Math.sqrt(
      dot(left.values, at, left.values, at, width) * dot(right.values, at, right.values, at, width),
    )
    let squares = 0
    let sizes = 0
    for (let i = at; i < at + width; i++) {
      const difference = left.values[i]! - right.values[i]!
      squares += difference * difference
      sizes += Math.abs(difference)
    }
    found.cosine[row] = lengths === 0 ? 0 : product / lengths
    found.dot[row] = product
    found.euclidean[row] = -Math.sqrt(squares)
    found.manhattan[row] = -sizes
  }
  return found
}

function first(left: Matrix, right: Matrix): Int32Array {
  const { width } = left
  return Int32Array.from({ length: left.rows }, (_, row) => {
    let best = 0
    let most = Number.NEGATIVE_INFINITY
    for (let other = 0; other < right.rows; other++) {
      const score = Math.fround(dot(left.values, row * width, right.values, other * width, width))
      if (score > most) [most, best] = [score, other]
    }
    return best
  })
}

/** Each round clusters rows drawn with replacement, as mteb does; with `sample` 0 all rows as they are. */
function clusters(work: Extract<Work, { kind: 'clusters' }>): number[] {
  const { data, labels, algorithm, rounds, sample } = work
  const random = new MersenneTwister(42)
  return Array.from({ length: rounds }, (_, seed) => {
    const places =
      sample === 0
        ? Uint32Array.from({ length: data.rows }, (_, i) => i)
        : Uint32Array.from({ length: sample }, () => random.below(data.rows))
    const drawn = drawnRows(data, places)
    const gold = Array.from(places, (place) => labels[place]!)
    // mteb asks for as many clusters as there are labels in all, drawn or not.
    const count = Math.min(new Set(labels).size, places.length)
    return vMeasure(gold, cluster(drawn, { clusters: count, seed, algorithm }))
  })
}

function drawnRows({ values, width }: Matrix, places: Uint32Array): Matrix {
  const drawn = new Float32Array(places.length * width)
  for (const [row, place] of places.entries())
    drawn.set(values.subarray(place * width, (place + 1) * width), row * width)
  return { values: drawn, rows: places.length, width }
}
