import { resamples } from './bootstrap.ts'
import { MersenneTwister } from './mersenne.ts'

const seed = 20_260_102

/**
 * Two-sided sign-flip permutation test of paired differences: how often signs thrown at random give a mean at least
 * as far from 0. The observed one counts as a throw, so that p is never 0.
 */
export function signFlip(differences: ArrayLike<number>): number {
  const random = new MersenneTwister(seed)
  // Pairs that are equal change no sum; without them fewer signs are thrown.
  const moved = Array.from(differences).filter((difference) => difference !== 0)
  const observed = Math.abs(moved.reduce((sum, difference) => sum + difference, 0))
  const tolerance = 1e-12 * moved.reduce((sum, difference) => sum + Math.abs(difference), 0)
  let asFar = 1
  for (let round = 0; round < resamples; round++) {
    let sum = 0
    let bits = 0
    for (let i = 0; i < moved.length; i++) {
      if (i % 32 === 0) bits = random.uint32()
      sum += bits & 1 ? moved[i]! : -moved[i]!
      bits >>>= 1
    }
    if (Math.abs(sum) >= observed - tolerance) asFar++
  }
  return asFar / (resamples + 1)
}

/**
 * McNemar's exact test: of the items that only one of two got right, is the split further from even than a coin's?
 *
 * @param onlyA Items that only the first got right. @param onlyB Only the second.
 */
export function mcNemar(onlyA: number, onlyB: number): number {
  const n = onlyA + onlyB
  const fewer = Math.min(onlyA, onlyB)
  let logTerm = -n * Math.LN2
  let tail = 0
  for (let k = 0; k <= fewer; k++) {
    tail += Math.exp(logTerm)
    logTerm += Math.log((n - k) / (k + 1))
  }
  return Math.min(1, 2 * tail)
}

/** Holm's step-down correction of several p values, in the order given. */
export function holm(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]!)
  const adjusted = [...values]
  let largest = 0
  for (const [step, place] of order.entries()) {
    largest = Math.max(largest, Math.min(1, (values.length - step) * values[place]!))
    adjusted[place] = largest
  }
  return adjusted
}
