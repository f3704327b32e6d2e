// IncomingMessage and ServerResponse, as node:http knows them.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HttpRequest, HttpResponse } from './messages.ts'

export type NodeListener = (request: IncomingMessage, response: ServerResponse) => void

/** A client that takes nothing for so long, in milliseconds, is gone. */
const stallMs = 30_000

export function nodeListener(
  answer: (request: HttpRequest) => Promise<HttpResponse>,
): NodeListener {
  return (request, response) => {
    serve(request, response, answer).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : undefined)
    })
  }
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  answer: (request: HttpRequest) => Promise<HttpResponse>,
): Promise<void> {
  const controller = new AbortController()
  response.on('close', () => {
    if (!response.writableFinished) controller.abort()
  })
  const { status, headers, body } = await answer({
    method: request.method ?? 'GET',
    url: request.url ?? '/',
    // The connection must outlive a body that is not read to its end: there is an answer to send.
    body: request.iterator({ destroyOnReturn: false }),
    signal: controller.signal,
    header: (name) => {
      const value = request.headers[name]
      return Array.isArray(value) ? value.join(', ') : (value ?? null)
    },
  })
  if (response.destroyed) return
  // What is left of a body that nobody wants: the next request of this connection stands behind it.
  if (!request.complete) request.resume()
  if (typeof body === 'string' || body instanceof Uint8Array) {
    if (status !== 204) headers['content-length'] ??= `${Buffer.byteLength(body)}`
    response.writeHead(status, headers)
    response.end(body)
    return
  }
  response.writeHead(status, headers)
  response.setTimeout(stallMs, () => response.destroy())
  for await (const part of body) {
    if (!response.write(part)) await writable(response)
    if (response.destroyed) return
  }
  response.end()
}

/** Resolves when the client took what was written, or is gone. */
function writable(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      response.off('drain', settle).off('close', settle)
      resolve()
    }
    if (response.destroyed) resolve()
    else response.on('drain', settle).on('close', settle)
  })
}
