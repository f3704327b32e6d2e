// Spans through @opentelemetry/api, which the user installs and registers a provider with.
import { createRequire } from 'node:module'
import type { HttpRequest } from './http/messages.ts'
import type { LogLine } from './request-log.ts'

type Api = typeof import('@opentelemetry/api')

/** What a route does, by the end of its path. */
function operationOf(route: string): string | undefined {
  if (/rerank(ing)?$|\/ranking$|\/score$/.test(route)) return 'retrieval'
  return /embed(dings|_all)?$/.test(route) ? 'embeddings' : undefined
}

const peer = '@opentelemetry/api'

export class Tracing {
  readonly #api: Promise<Api>

  /** @throws if the package is not installed: better now than at the first request. */
  constructor() {
    try {
      createRequire(import.meta.url).resolve(peer)
    } catch (cause) {
      throw new Error(`Tracing needs the package ${peer}. Install it beside qwen3-embed.`, {
        cause,
      })
    }
    this.#api = import(peer) as Promise<Api>
  }

  /** Runs `work` inside a span that continues the caller's trace. `line` is complete when it ends. */
  async around<T>(
    request: HttpRequest,
    route: string,
    work: (done: (line: LogLine, dimensions: number | null) => void) => Promise<T>,
  ): Promise<T> {
    const { context, propagation, SpanKind, SpanStatusCode, trace } = await this.#api
    const carrier = propagation.extract(context.active(), request, {
      get: (from, name) => from.header(name) ?? undefined,
      keys: () => [],
    })
    const span = trace
      .getTracer('qwen3-embed')
      .startSpan(`${request.method} ${route}`, { kind: SpanKind.SERVER }, carrier)
    const done = (line: LogLine, dimensions: number | null) => {
      span.setAttributes({
        'http.request.method': line.method,
        'http.route': route,
        'http.response.status_code': line.status,
        'gen_ai.provider.name': 'qwen3-embed',
        'gen_ai.usage.input_tokens': line.tokens,
        'qwen3_embed.request_id': line.id,
        'qwen3_embed.texts': line.texts,
      })
      const operation = operationOf(route)
      if (operation) span.setAttribute('gen_ai.operation.name', operation)
      if (line.model !== null) span.setAttribute('gen_ai.request.model', line.model)
      if (dimensions !== null) span.setAttribute('gen_ai.embeddings.dimension.count', dimensions)
      if (line.code !== null) span.setAttribute('error.type', line.code)
      if (line.status >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
      span.end()
    }
    return context.with(trace.setSpan(carrier, span), () => work(done))
  }
}
