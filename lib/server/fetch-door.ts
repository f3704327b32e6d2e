// Request and Response, as fetch knows them.
import type { Answer, Incoming } from './exchange.ts'

export function toIncoming(request: Request): Incoming {
  return {
    method: request.method,
    url: request.url,
    body: request.body as AsyncIterable<Uint8Array> | null,
    signal: request.signal,
    header: (name) => request.headers.get(name),
  }
}

export function toResponse({ status, headers, body }: Answer): Response {
  const isEmpty = status === 204 || body === ''
  const content =
    typeof body === 'string' || body instanceof Uint8Array ? (body as string) : streamed(body)
  return new Response(isEmpty ? null : content, { status, headers })
}

function streamed(parts: AsyncIterable<string>): ReadableStream<Uint8Array> {
  const iterator = parts[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await iterator.next()
      if (done) controller.close()
      else controller.enqueue(encoder.encode(value))
    },
    async cancel() {
      await iterator.return?.()
    },
  })
}
