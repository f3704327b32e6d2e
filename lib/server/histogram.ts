// Counters and histograms in Prometheus' text format.

type Labels = Readonly<Record<string, string | number>>

/** A name with its samples by labels. */
export class Counter {
  readonly #counts = new Map<string, number>()

  add(labels: Labels, amount = 1): void {
    const key = written(labels)
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + amount)
  }

  lines(name: string): string[] {
    return [...this.#counts].map(([labels, count]) => `${name}${labels} ${count}`)
  }
}

/** Seconds: from a cache hit of a small model to a bulk job. */
const bounds = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300,
] as const

interface Samples {
  labels: Labels
  /** (bounds + 1): the last one has no bound. */
  counts: number[]
  sum: number
}

export class Histogram {
  readonly #samples = new Map<string, Samples>()

  observe(labels: Labels, seconds: number): void {
    const key = written(labels)
    let samples = this.#samples.get(key)
    if (!samples) {
      samples = { labels, counts: new Array<number>(bounds.length + 1).fill(0), sum: 0 }
      this.#samples.set(key, samples)
    }
    const place = bounds.findIndex((bound) => seconds <= bound)
    samples.counts[place < 0 ? bounds.length : place]!++
    samples.sum += seconds
  }

  lines(name: string): string[] {
    return [...this.#samples.values()].flatMap(({ labels, counts, sum }) => {
      let total = 0
      const buckets = counts.map((count, i) => {
        total += count
        return `${name}_bucket${written({ ...labels, le: bounds[i] ?? '+Inf' })} ${total}`
      })
      return [
        ...buckets,
        `${name}_sum${written(labels)} ${sum}`,
        `${name}_count${written(labels)} ${total}`,
      ]
    })
  }
}

export function sample(name: string, labels: Labels, value: number): string {
  return `${name}${written(labels)} ${Number.isFinite(value) ? value : 0}`
}

function written(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${quoted(`${value}`)}"`)
  return pairs.length > 0 ? `{${pairs.join(',')}}` : ''
}

function quoted(value: string): string {
  return value.replace(/[\\"\n]/g, (letter) => (letter === '\n' ? '\\n' : `\\${letter}`))
}
