// The two doors of one desk, and the options it was opened with.
import { Desk } from './desk.ts'
import { toIncoming, toResponse } from './fetch-door.ts'
import { type NodeListener, nodeListener } from './node-door.ts'
import { type HandlerOptions, readHandlerOptions } from './options.ts'

/** Answers requests; mounts wherever a fetch-style or a Node-style function does. */
export interface Handler {
  /** For Hono, Next, Deno and other fetch-style servers. */
  readonly fetch: (request: Request) => Promise<Response>
  /** For node:http, Express and the like. */
  readonly node: NodeListener
  /** Requests being answered. */
  readonly inFlight: number
  /** From now on new requests get 503; resolves when the last one is answered. The models stay loaded. */
  close(): Promise<void>
}

/**
 * One handler for OpenAI's, Cohere's, Jina's and TEI's requests to the given models.
 *
 * @throws TypeError, RangeError for options that make no sense.
 */
export function createHandler(options: HandlerOptions): Handler {
  const desk = new Desk(readHandlerOptions(options))
  return {
    fetch: async (request) => toResponse(await desk.answer(toIncoming(request))),
    node: nodeListener((incoming) => desk.answer(incoming)),
    get inFlight() {
      return desk.inFlight
    },
    close: () => desk.close(),
  }
}
