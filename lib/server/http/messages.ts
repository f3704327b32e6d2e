// A request and its response, whichever adapter they came through: fetch's or Node's.

export interface HttpRequest {
  readonly method: string
  /** With or without scheme and host. */
  readonly url: string
  readonly body: AsyncIterable<Uint8Array> | null
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal
  header(name: string): string | null
}

export interface HttpResponse {
  status: number
  headers: Record<string, string>
  body: string | Uint8Array | AsyncIterable<string | Uint8Array>
}

export function json(value: unknown, status = 200): HttpResponse {
  return text(JSON.stringify(value), 'application/json', status)
}

export function text(body: string, type: string, status = 200): HttpResponse {
  return { status, headers: { 'content-type': type }, body }
}

/** Characters serialised in one turn of the event loop. */
const sliceChars = 1 << 17

/**
 * JSON in parts, which are asked for as they are sent: a large answer is never in memory as a whole, and writing it
 * does not hold up the others.
 */
export function jsonParts(parts: Iterable<string>): HttpResponse {
  const iterator = parts[Symbol.iterator]()
  let slice = ''
  const fill = (): boolean => {
    while (slice.length < sliceChars) {
      const { done, value } = iterator.next()
      if (done) return true
      slice += value
    }
    return false
  }
  if (fill()) return text(slice, 'application/json')
  async function* slices() {
    for (let done = false; !done; ) {
      yield slice
      slice = ''
      await new Promise((resolve) => setImmediate(resolve))
      done = fill()
    }
    yield slice
  }
  return { status: 200, headers: { 'content-type': 'application/json' }, body: slices() }
}

/** JSON with a list in it: `head`, the items with commas between, `tail`. */
export function jsonList(head: string, items: Iterable<string>, tail: string): HttpResponse {
  function* parts() {
    yield head
    yield* commas(items)
    yield tail
  }
  return jsonParts(parts())
}

export function* commas(items: Iterable<string>): Generator<string> {
  let isFirst = true
  for (const item of items) {
    yield isFirst ? item : `,${item}`
    isFirst = false
  }
}
