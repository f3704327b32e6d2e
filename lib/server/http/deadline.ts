// When to stop working for a request, and when it has been answered in full.
import { RequestError } from '../request-error.ts'

/** One signal for "the client is gone" and "it took too long". Ended by hand, so that no timer outlives a request. */
export class Deadline {
  readonly signal: AbortSignal
  readonly #client: AbortSignal
  readonly #timer: NodeJS.Timeout
  readonly #onGone: () => void

  constructor(client: AbortSignal, deadline: number) {
    const controller = new AbortController()
    this.signal = controller.signal
    this.#client = client
    this.#onGone = () => controller.abort(new RequestError('client_gone', 'The client went away'))
    this.#timer = setTimeout(() => {
      const seconds = Math.round(deadline / 100) / 10
      const message = `The request took longer than ${seconds} s, which is this server's deadline. Send fewer texts at a time.`
      controller.abort(new RequestError('deadline_exceeded', message))
    }, deadline)
    this.#timer.unref()
    if (client.aborted) this.#onGone()
    else client.addEventListener('abort', this.#onGone, { once: true })
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#client.removeEventListener('abort', this.#onGone)
  }
}

/** The same parts; `end` is called once, when they were all taken, or given up, or the signal aborts. */
export function ending(
  parts: AsyncIterable<string | Uint8Array>,
  signal: AbortSignal,
  end: () => void,
): AsyncIterable<string | Uint8Array> {
  let isEnded = false
  const endOnce = () => {
    signal.removeEventListener('abort', endOnce)
    if (!isEnded) end()
    isEnded = true
  }
  signal.addEventListener('abort', endOnce)
  const iterator = parts[Symbol.asyncIterator]()
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        if (signal.aborted) throw signal.reason
        const part = await iterator.next()
        if (part.done) endOnce()
        return part
      },
      async return() {
        endOnce()
        return { done: true, value: undefined }
      },
    }),
  }
}
