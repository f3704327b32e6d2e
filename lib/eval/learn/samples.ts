import { MersenneTwister } from '../statistics/mersenne.ts'

const experiments = 10
const perLabel = 8
const seed = 42

/**
 * The training texts of mteb's ten classification experiments: each takes the first eight of every label in a
 * shuffled order, and shuffles that same order again with a generator that starts anew.
 */
export function experimentPlaces(labels: ArrayLike<number>): number[][] {
  const order = Uint32Array.from({ length: labels.length }, (_, i) => i)
  return Array.from({ length: experiments }, () => {
    new MersenneTwister(seed).shuffle(order)
    const taken = new Map<number, number>()
    const places: number[] = []
    for (const place of order) {
      const count = taken.get(labels[place]!) ?? 0
      if (count === perLabel) continue
      taken.set(labels[place]!, count + 1)
      places.push(place)
    }
    return places
  })
}
