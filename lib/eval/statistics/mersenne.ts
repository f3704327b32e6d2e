/** MT19937, seeded by Knuth's rule, with the draws that numpy's `RandomState` makes of it. */
export class MersenneTwister {
  readonly #state = new Uint32Array(624)
  #next = 624

  constructor(seed: number) {
    const state = this.#state
    state[0] = seed
    for (let i = 1; i < 624; i++) {
      const last = state[i - 1]! ^ (state[i - 1]! >>> 30)
      state[i] = Math.imul(1_812_433_253, last) + i
    }
  }

  /** 32 bits. */
  uint32(): number {
    if (this.#next === 624) this.#refill()
    let y = this.#state[this.#next++]!
    y ^= y >>> 11
    y ^= (y << 7) & 0x9d2c5680
    y ^= (y << 15) & 0xefc60000
    y ^= y >>> 18
    return y >>> 0
  }

  /** 0..1, 53 bits, as numpy's `random_sample`. */
  random(): number {
    const high = this.uint32() >>> 5
    const low = this.uint32() >>> 6
    return (high * 67_108_864 + low) / 9_007_199_254_740_992
  }

  /** 0..max, both included: draws masked to the bits of `max`, again while above it, as numpy's `random_interval`. */
  interval(max: number): number {
    if (max === 0) return 0
    const mask = 2 ** (32 - Math.clz32(max)) - 1
    let value = 0
    do value = (this.uint32() & mask) >>> 0
    while (value > max)
    return value
  }

  /** 0..n−1, by scaling: a bias of n/2³² that no statistic here can see. */
  below(n: number): number {
    return Math.floor((this.uint32() / 4_294_967_296) * n)
  }

  /** In place, as numpy's `RandomState.shuffle`. */
  shuffle<T>(items: T[] | Uint32Array): void {
    const list = items as T[]
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.interval(i)
      ;[list[i], list[j]] = [list[j]!, list[i]!]
    }
  }

  #refill(): void {
    const state = this.#state
    for (let i = 0; i < 624; i++) {
      const y = (state[i]! & 0x80000000) | (state[(i + 1) % 624]! & 0x7fffffff)
      state[i] = state[(i + 397) % 624]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0)
    }
    this.#next = 0
  }
}
