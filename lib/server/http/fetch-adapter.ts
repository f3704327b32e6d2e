// Request and Response, as fetch knows them.
import type { HttpRequest, HttpResponse } from './messages.ts'

export function toHttpRequest(request: Request): HttpRequest {
  return {
    method: request.method,
    url: request.url,
    body: request.body as AsyncIterable<Uint8Array> | null,
    signal: request.signal,
    header: (name) => request.headers.get(name),
  }
}

export function toResponse({ status, headers, body }: HttpResponse): Response {
  const isEmpty = status === 204 || body === ''
  const content =
    typeof body === 'string' || body instanceof Uint8Array ? (body as string) : streamed(body)
  return new Response(isEmpty ? null : content, { status, headers })
}

function streamed(parts: AsyncIterable<string | Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = parts[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await iterator.next()
      if (done) controller.close()
      else controller.enqueue(typeof value === 'string' ? encoder.encode(value) : value)
    },
    async cancel() {
      await iterator.return?.()
    },
  })
}
