import { entry } from '../entry.ts'

/** Share of predictions that are right. */
export function accuracy(gold: ArrayLike<number>, predicted: ArrayLike<number>): number {
  let right = 0
  for (let i = 0; i < gold.length; i++) if (gold[i] === predicted[i]) right++
  return right / gold.length
}

/** F1 of each class that is in either, averaged: equally, or by its number in `gold`. 0 where nothing was predicted. */
export function f1(
  gold: ArrayLike<number>,
  predicted: ArrayLike<number>,
  average: 'macro' | 'weighted',
): number {
  const counts = new Map<number, { gold: number; predicted: number; both: number }>()
  const of = (label: number) => entry(counts, label, () => ({ gold: 0, predicted: 0, both: 0 }))
  for (let i = 0; i < gold.length; i++) {
    of(gold[i]!).gold++
    of(predicted[i]!).predicted++
    if (gold[i] === predicted[i]) of(gold[i]!).both++
  }
  let sum = 0
  for (const one of counts.values()) {
    const share = average === 'macro' ? 1 / counts.size : one.gold / gold.length
    sum += (share * 2 * one.both) / (one.gold + one.predicted)
  }
  return sum
}
