// One pipeline behind two adapters: fetch's and Node's.
import { toHttpRequest, toResponse } from './http/fetch-adapter.ts'
import { type NodeListener, nodeListener } from './http/node-adapter.ts'
import { type HandlerOptions, readHandlerOptions } from './options.ts'
import { Pipeline } from './pipeline.ts'

/** Answers requests; mounts wherever a fetch-style or a Node-style function does. */
export interface Handler {
  /** For Hono, Next, Deno and other fetch-style servers. */
  readonly fetch: (request: Request) => Promise<Response>
  /** For node:http, Express and the like. */
  readonly node: NodeListener
  /** Requests being answered. */
  readonly inFlight: number
  /** From now on new requests get 503; resolves when the last one is answered. Models that were given loaded stay so. */
  close(): Promise<void>
}

/**
 * One handler for the requests of OpenAI's, Azure's, Cohere's, Voyage's, Jina's, NIM's, vLLM's, TEI's and Ollama's clients.
 *
 * @throws TypeError, RangeError for options that make no sense.
 */
export function createHandler(options: HandlerOptions): Handler {
  const pipeline = new Pipeline(readHandlerOptions(options))
  return {
    fetch: async (request) => toResponse(await pipeline.answer(toHttpRequest(request))),
    node: nodeListener((request) => pipeline.answer(request)),
    get inFlight() {
      return pipeline.inFlight
    },
    close: () => pipeline.close(),
  }
}
