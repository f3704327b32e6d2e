// Logistic regression as scikit-learn defines it (L2, C = 1, intercept not penalised), solved by L-BFGS.

/** Rows of one matrix: (rows, width) in one array. */
export interface Matrix {
  readonly values: Float32Array
  readonly rows: number
  readonly width: number
}

const memory = 10
const gradientLimit = 1e-6
const mostSteps = 1_000

/**
 * Fits on the given rows and predicts all of `test`.
 *
 * @param labels One of 0..classes−1 for each of `places`.
 * @returns A class for each row of `test`; the first of equals.
 */
export function fitAndPredict(
  train: Matrix,
  places: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
  test: Matrix,
): Int32Array {
  // Two classes need one weight vector, more have one each.
  const outputs = classes === 2 ? 1 : classes
  const weights = minimise(new Float64Array(outputs * (train.width + 1)), (x, gradient) =>
    loss(x, gradient, train, places, labels, outputs),
  )
  const scores = new Float64Array(outputs)
  return Int32Array.from({ length: test.rows }, (_, row) => {
    score(weights, test, row, scores)
    if (outputs === 1) return scores[0]! > 0 ? 1 : 0
    let best = 0
    for (let k = 1; k < outputs; k++) if (scores[k]! > scores[best]!) best = k
    return best
  })
}

/** ½‖w‖² + the sum of log losses, and its gradient. Weights: (outputs, width + 1), the intercept last. */
function loss(
  weights: Float64Array,
  gradient: Float64Array,
  { values, width }: Matrix,
  places: ArrayLike<number>,
  labels: ArrayLike<number>,
  outputs: number,
): number {
  gradient.fill(0)
  let sum = 0
  const stride = width + 1
  for (let k = 0; k < outputs; k++) {
    for (let i = k * stride; i < k * stride + width; i++) {
      sum += 0.5 * weights[i]! * weights[i]!
      gradient[i] = weights[i]!
    }
  }
  const scores = new Float64Array(outputs)
  for (let n = 0; n < places.length; n++) {
    score(weights, { values, width, rows: 0 }, places[n]!, scores)
    sum += outputs === 1 ? sigmoidLoss(scores, labels[n]!) : softmaxLoss(scores, labels[n]!)
    const from = places[n]! * width
    for (let k = 0; k < outputs; k++) {
      const slope = scores[k]!
      const base = k * stride
      for (let i = 0; i < width; i++) gradient[base + i]! += slope * values[from + i]!
      gradient[base + width]! += slope
    }
  }
  return sum
}

function score(
  weights: Float64Array,
  { values, width }: Matrix,
  row: number,
  scores: Float64Array,
) {
  const from = row * width
  for (let k = 0; k < scores.length; k++) {
    const base = k * (width + 1)
    let sum = weights[base + width]!
    for (let i = 0; i < width; i++) sum += weights[base + i]! * values[from + i]!
    scores[k] = sum
  }
}

/** Leaves in `scores` the slope of the loss by each score. */
function sigmoidLoss(scores: Float64Array, label: number): number {
  const z = label === 1 ? scores[0]! : -scores[0]!
  const wrong = 1 / (1 + Math.exp(z))
  scores[0] = label === 1 ? -wrong : wrong
  return z > 0 ? Math.log1p(Math.exp(-z)) : Math.log1p(Math.exp(z)) - z
}

function softmaxLoss(scores: Float64Array, label: number): number {
  const highest = scores.reduce((a, b) => Math.max(a, b))
  const own = scores[label]! - highest
  let sum = 0
  for (let k = 0; k < scores.length; k++) {
    scores[k] = Math.exp(scores[k]! - highest)
    sum += scores[k]!
  }
  for (let k = 0; k < scores.length; k++) scores[k]! /= sum
  scores[label]! -= 1
  return Math.log(sum) - own
}

type Objective = (x: Float64Array, gradient: Float64Array) => number

/** L-BFGS with a backtracking line search; the functions here are convex and smooth. */
function minimise(start: Float64Array, objective: Objective): Float64Array {
  let x = start
  let gradient = new Float64Array(x.length)
  let value = objective(x, gradient)
  const steps: { s: Float64Array; y: Float64Array; curvature: number }[] = []
  for (let step = 0; step < mostSteps && largest(gradient) > gradientLimit; step++) {
    let direction = towards(gradient, steps)
    let slope = dot(direction, gradient)
    if (slope >= 0) {
      steps.length = 0
      direction = gradient.map((g) => -g)
      slope = dot(direction, gradient)
    }
    const next = new Float64Array(x.length)
    const nextGradient = new Float64Array(x.length)
    let length = steps.length === 0 ? Math.min(1, 1 / Math.sqrt(-slope)) : 1
    let nextValue = Number.POSITIVE_INFINITY
    for (let tries = 0; tries < 60; tries++, length /= 2) {
      for (let i = 0; i < x.length; i++) next[i] = x[i]! + length * direction[i]!
      nextValue = objective(next, nextGradient)
      if (nextValue <= value + 1e-4 * length * slope) break
    }
    // No step is downhill any more: rounding is all that is left.
    if (!(nextValue < value)) break
    const s = next.map((v, i) => v - x[i]!)
    const y = nextGradient.map((v, i) => v - gradient[i]!)
    const curvature = dot(s, y)
    if (curvature > 1e-300) steps.push({ s, y, curvature })
    if (steps.length > memory) steps.shift()
    x = next
    gradient = nextGradient
    value = nextValue
  }
  return x
}

/** The two-loop recursion. */
function towards(
  gradient: Float64Array,
  steps: readonly { s: Float64Array; y: Float64Array; curvature: number }[],
): Float64Array {
  const q = gradient.map((g) => -g)
  const alphas: number[] = []
  for (const { s, y, curvature } of steps.toReversed()) {
    const alpha = dot(s, q) / curvature
    alphas.push(alpha)
    for (let i = 0; i < q.length; i++) q[i]! -= alpha * y[i]!
  }
  const last = steps.at(-1)
  if (last) {
    const scale = last.curvature / dot(last.y, last.y)
    for (let i = 0; i < q.length; i++) q[i]! *= scale
  }
  for (const { s, y, curvature } of steps) {
    const change = alphas.pop()! - dot(y, q) / curvature
    for (let i = 0; i < q.length; i++) q[i]! += change * s[i]!
  }
  return q
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

function largest(values: Float64Array): number {
  let most = 0
  for (const value of values) most = Math.max(most, Math.abs(value))
  return most
}
