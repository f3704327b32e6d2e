/** A range of bytes, the end excluded. */
export type Span = readonly [start: number, end: number]

/** Which bytes of a file are there: sorted, disjoint, never touching. */
export class Spans {
  #list: Span[] = []

  add(start: number, end: number): void {
    if (end <= start) return
    let from = start
    let to = end
    const apart: Span[] = []
    for (const span of this.#list) {
      if (span[1] < from || span[0] > to) {
        apart.push(span)
      } else {
        from = Math.min(from, span[0])
        to = Math.max(to, span[1])
      }
    }
    this.#list = [...apart, [from, to] as const].sort((a, b) => a[0] - b[0])
  }

  /** The bytes of this range that are not there yet. */
  missing(start: number, end: number): Span[] {
    const gaps: Span[] = []
    let at = start
    for (const [from, to] of this.#list) {
      if (to <= at) continue
      if (from >= end) break
      if (from > at) gaps.push([at, from])
      at = to
    }
    if (at < end) gaps.push([at, end])
    return gaps
  }

  /** How far the file reaches from its first byte without a gap. */
  get frontier(): number {
    const first = this.#list[0]
    return first === undefined || first[0] > 0 ? 0 : first[1]
  }

  get bytes(): number {
    return this.#list.reduce((sum, [start, end]) => sum + end - start, 0)
  }

  toJSON(): Span[] {
    return [...this.#list]
  }

  /** Undefined unless the value is a list of ranges within a file of this size. */
  static from(value: unknown, size: number): Spans | undefined {
    if (!Array.isArray(value)) return undefined
    const spans = new Spans()
    for (const span of value) {
      if (!Array.isArray(span) || span.length !== 2) return undefined
      const [start, end] = span
      if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end)) return undefined
      if (start < 0 || end <= start || end > size) return undefined
      spans.add(start, end)
    }
    return spans
  }
}
