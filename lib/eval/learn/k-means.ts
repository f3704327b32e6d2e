// k-means as scikit-learn's MiniBatchKMeans runs it (batches of 512, k-means++ once), and Lloyd's full steps.
import { MersenneTwister } from '../statistics/mersenne.ts'
import type { Matrix } from './logistic.ts'

export interface ClusterOptions {
  clusters: number
  seed: number
  algorithm: 'mini-batch' | 'lloyd'
}

const batchSize = 512
const mostEpochs = 100
const mostWithoutGain = 10
const reassignShare = 0.01

/** @returns The cluster of each row. */
export function cluster(data: Matrix, { clusters, seed, algorithm }: ClusterOptions): Int32Array {
  const random = new MersenneTwister(seed)
  const isWhole = algorithm === 'lloyd'
  const first = isWhole
    ? all(data.rows)
    : drawn(Math.min(data.rows, Math.max(3 * batchSize, 3 * clusters)), data, random)
  const centres = plusPlus(data, first, clusters, random)
  if (isWhole) lloyd(data, centres, clusters)
  else miniBatch(data, centres, clusters, random)
  const places = all(data.rows)
  return assign(data, places, centres, clusters).labels
}

function miniBatch(data: Matrix, centres: Float64Array, clusters: number, random: MersenneTwister) {
  const { width, rows } = data
  const size = Math.min(batchSize, rows)
  const weights = new Float64Array(clusters)
  const share = Math.min(1, (size * 2) / (rows + 1))
  let sinceReassign = 0
  let average: number | undefined
  let least = Number.POSITIVE_INFINITY
  let withoutGain = 0
  for (let step = 0; step < Math.floor((mostEpochs * rows) / size); step++) {
    const places = drawn(size, data, random)
    const { labels, inertia } = assign(data, places, centres, clusters)
    sinceReassign += size
    const isTime = weights.includes(0) || sinceReassign >= 10 * clusters
    if (isTime) sinceReassign = 0
    const sums = new Float64Array(clusters * width)
    const counts = new Float64Array(clusters)
    for (const [n, label] of labels.entries()) {
      counts[label]!++
      const from = places[n]! * width
      for (let i = 0; i < width; i++) sums[label * width + i]! += data.values[from + i]!
    }
    for (let k = 0; k < clusters; k++) {
      if (counts[k] === 0) continue
      const before = weights[k]!
      weights[k] = before + counts[k]!
      for (let i = k * width; i < (k + 1) * width; i++) {
        centres[i] = (centres[i]! * before + sums[i]!) / weights[k]!
      }
    }
    if (isTime) reassign(data, places, centres, weights, random)
    if (step === 0) continue
    average =
      average === undefined ? inertia / size : average * (1 - share) + (inertia / size) * share
    withoutGain = average < least ? 0 : withoutGain + 1
    least = Math.min(least, average)
    if (withoutGain >= mostWithoutGain) break
  }
}

/** Clusters that hardly anything fell into begin anew at a text of this batch. */
function reassign(
  { values, width }: Matrix,
  places: Uint32Array,
  centres: Float64Array,
  weights: Float64Array,
  random: MersenneTwister,
) {
  const limit = reassignShare * weights.reduce((a, b) => Math.max(a, b))
  const light = Array.from(weights.keys())
    .filter((k) => weights[k]! < limit)
    .sort((a, b) => weights[a]! - weights[b]!)
    .slice(0, Math.floor(0.5 * places.length))
  if (light.length === 0) return
  const fresh = places.slice()
  random.shuffle(fresh)
  const kept = Array.from(weights.keys()).filter((k) => !light.includes(k))
  const weight = Math.min(...kept.map((k) => weights[k]!))
  for (const [n, k] of light.entries()) {
    weights[k] = weight
    const from = fresh[n]! * width
    for (let i = 0; i < width; i++) centres[k * width + i] = values[from + i]!
  }
}

function lloyd(data: Matrix, centres: Float64Array, clusters: number) {
  const { width, rows, values } = data
  const places = all(rows)
  let before: Int32Array | undefined
  for (let step = 0; step < 300; step++) {
    const { labels } = assign(data, places, centres, clusters)
    if (before && labels.every((label, n) => label === before![n])) return
    before = labels
    const counts = new Float64Array(clusters)
    const sums = new Float64Array(centres.length)
    for (const [n, label] of labels.entries()) {
      counts[label]!++
      for (let i = 0; i < width; i++) sums[label * width + i]! += values[n * width + i]!
    }
    for (let i = 0; i < sums.length; i++) {
      const count = counts[Math.floor(i / width)]!
      if (count > 0) centres[i] = sums[i]! / count
    }
  }
}

/** Greedy k-means++: of several draws by squared distance, the one that leaves least. */
function plusPlus(
  { values, width }: Matrix,
  places: Uint32Array,
  clusters: number,
  random: MersenneTwister,
): Float64Array {
  const centres = new Float64Array(clusters * width)
  const tries = 2 + Math.floor(Math.log(clusters))
  const take = (k: number, place: number) => {
    for (let i = 0; i < width; i++) centres[k * width + i] = values[place * width + i]!
  }
  const distances = (place: number) =>
    Float64Array.from(places, (other) => {
      let sum = 0
      for (let i = 0; i < width; i++)
        sum += (values[place * width + i]! - values[other * width + i]!) ** 2
      return sum
    })
  const start = places[random.below(places.length)]!
  take(0, start)
  let nearest = distances(start)
  for (let k = 1; k < clusters; k++) {
    const total = nearest.reduce((a, b) => a + b, 0)
    let best: { place: number; left: Float64Array<ArrayBuffer>; sum: number } | undefined
    for (let n = 0; n < tries; n++) {
      const place = places[drawBy(nearest, total * random.random())]!
      const left = distances(place).map((distance, i) => Math.min(distance, nearest[i]!))
      const sum = left.reduce((a, b) => a + b, 0)
      if (!best || sum < best.sum) best = { place, left, sum }
    }
    take(k, best!.place)
    nearest = best!.left
  }
  return centres
}

function drawBy(weights: Float64Array, point: number): number {
  let sum = 0
  for (let i = 0; i < weights.length; i++) {
    sum += weights[i]!
    if (sum > point) return i
  }
  return weights.length - 1
}

function assign(
  { values, width }: Matrix,
  places: Uint32Array,
  centres: Float64Array,
  clusters: number,
) {
  const lengths = Float64Array.from({ length: clusters }, (_, k) => {
    let sum = 0
    for (let i = k * width; i < (k + 1) * width; i++) sum += centres[i]! * centres[i]!
    return sum
  })
  const labels = new Int32Array(places.length)
  let inertia = 0
  for (let n = 0; n < places.length; n++) {
    const from = places[n]! * width
    let own = 0
    for (let i = 0; i < width; i++) own += values[from + i]! * values[from + i]!
    let least = Number.POSITIVE_INFINITY
    for (let k = 0; k < clusters; k++) {
      let dot = 0
      const base = k * width
      for (let i = 0; i < width; i++) dot += values[from + i]! * centres[base + i]!
      const distance = lengths[k]! - 2 * dot
      if (distance < least) [least, labels[n]] = [distance, k]
    }
    inertia += Math.max(0, least + own)
  }
  return { labels, inertia }
}

function all(rows: number): Uint32Array {
  return Uint32Array.from({ length: rows }, (_, i) => i)
}

function drawn(count: number, { rows }: Matrix, random: MersenneTwister): Uint32Array {
  return Uint32Array.from({ length: count }, () => random.below(rows))
}
