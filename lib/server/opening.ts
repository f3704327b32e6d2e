// A server whose models are still being opened: it is alive, says that it is not ready, and lets requests wait.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { NodeListener } from './http/node-adapter.ts'

const alive = ['/livez', '/health/live']
const ready = ['/health', '/ping', '/readyz', '/health/ready']

/** What probes are told meanwhile. */
export interface Opening {
  /** Models that are open. */
  opened: number
  /** What is done now, such as `load 40%`. */
  doing: string
}

export class OpeningListener {
  readonly #basePath: string
  readonly #state: Opening
  #listener: NodeListener | undefined
  #waiting: [IncomingMessage, ServerResponse][] = []

  constructor(basePath: string, state: Opening) {
    this.#basePath = basePath
    this.#state = state
  }

  /** Those that wait go on, and all that come. */
  open(listener: NodeListener): void {
    this.#listener = listener
    for (const [request, response] of this.#waiting.splice(0)) {
      if (!response.destroyed) listener(request, response)
    }
  }

  /** There will be nothing to answer with. */
  abandon(): void {
    for (const [, response] of this.#waiting.splice(0)) {
      send(response, 503, { status: 'stopping' })
    }
  }

  readonly listen: NodeListener = (request, response) => {
    if (this.#listener) {
      this.#listener(request, response)
      return
    }
    const [whole = ''] = (request.url ?? '/').split('?')
    const path = whole.startsWith(this.#basePath) ? whole.slice(this.#basePath.length) : ''
    if (alive.includes(path)) send(response, 200, { status: 'alive' })
    else if (ready.includes(path)) send(response, 503, { status: 'loading', ...this.#state })
    else this.#waiting.push([request, response])
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  const headers = {
    'content-type': 'application/json',
    ...(status === 503 && { 'retry-after': '1' }),
  }
  response.writeHead(status, headers)
  response.end(JSON.stringify(body))
}
