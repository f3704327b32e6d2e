// The story of one request: matched, let in, read, run, answered, logged.
import { randomUUID } from 'node:crypto'
import { version } from '../root.ts'
import type { Context, Operation, Route, ServerState, Usage } from './context.ts'
import { errorResponse } from './error-response.ts'
import { Keys } from './http/authentication.ts'
import { Buffered, readJson } from './http/body.ts'
import { compress } from './http/compression.ts'
import { Deadline, ending } from './http/deadline.ts'
import type { HttpRequest, HttpResponse } from './http/messages.ts'
import { checkHost, corsHeaders, preflight } from './http/origins.ts'
import { Metrics } from './metrics.ts'
import { Models } from './models.ts'
import { openapi } from './openapi.ts'
import type { Settings } from './options.ts'
import { RequestError, requestErrorOf } from './request-error.ts'
import { type Arrival, type LogLine, logLine } from './request-log.ts'
import { type Match, Router } from './router.ts'
import { routesOf } from './routes.ts'
import { readBody } from './schema.ts'
import { Tracing } from './tracing.ts'

/** What is carried through the steps of one request. */
interface Visit extends Arrival {
  readonly path: string
  readonly match: Match | undefined
  readonly context: Context
  readonly deadline: Deadline
  /** Runs in turn when the request is answered in full. */
  readonly releases: (() => void)[]
  /** Decided by the body where a path has several. */
  operation: Operation | undefined
}

type OnDone = (line: LogLine, dimensions: number | null) => void

export class Pipeline implements ServerState {
  readonly settings: Settings
  readonly models: Models
  readonly metrics = new Metrics()
  readonly #router: Router
  readonly #keys: Keys
  readonly #buffered: Buffered
  readonly #tracing: Tracing | null
  readonly #onIdle: (() => void)[] = []
  #inFlight = 0
  #isClosing = false

  constructor(settings: Settings) {
    this.settings = settings
    this.models = new Models(settings)
    this.#router = new Router(routesOf(settings.page, settings.index !== null))
    this.#keys = new Keys(settings.keys)
    this.#buffered = new Buffered(settings.limits.bufferedBytes)
    this.#tracing = settings.tracing ? new Tracing() : null
  }

  get inFlight(): number {
    return this.#inFlight
  }

  get isClosing(): boolean {
    return this.#isClosing
  }

  describe(): object {
    return openapi(this.#router.routes, this.settings, version)
  }

  /** Answers what runs, and unloads the models that were loaded here. */
  async close(): Promise<void> {
    this.#isClosing = true
    if (this.#inFlight > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve))
    await this.models.close()
  }

  answer(request: HttpRequest): Promise<HttpResponse> {
    const visit = this.#visit(request)
    if (!this.#tracing || !visit.match?.route) return this.#answer(visit, () => {})
    return this.#tracing.around(request, visit.match.pattern, (done) => this.#answer(visit, done))
  }

  #visit(request: HttpRequest): Visit {
    const { settings } = this
    const { path, search } = split(request.url, settings.basePath)
    const match = this.#router.match(request.method, path)
    const deadline = new Deadline(request.signal, settings.limits.deadline)
    const given = request.header('x-request-id')
    const id = given && /^[\w.:-]{1,100}$/.test(given) ? given : randomUUID()
    const usage: Usage = {
      model: null,
      texts: 0,
      characters: 0,
      tokens: 0,
      cut: 0,
      dimensions: null,
      firstPass: null,
    }
    const releases: (() => void)[] = []
    const context: Context = {
      id,
      request,
      signal: deadline.signal,
      limits: settings.limits,
      settings,
      models: this.models,
      server: this,
      usage,
      param: match?.param ?? '',
      search,
      onEnd: (release) => releases.push(release),
    }
    return {
      id,
      request,
      path,
      match,
      route: match?.pattern ?? 'other',
      start: performance.now(),
      time: new Date().toISOString(),
      context,
      deadline,
      releases,
      operation: match?.route?.operations[0],
    }
  }

  async #answer(visit: Visit, done: OnDone): Promise<HttpResponse> {
    let error: RequestError | null = null
    let response: HttpResponse
    this.#inFlight++
    try {
      response = this.#admit(visit) ?? (await this.#run(visit, visit.match!.route!))
    } catch (cause) {
      const { signal } = visit.deadline
      error = requestErrorOf(signal.aborted ? signal.reason : cause)
      response = errorResponse(error, visit.operation?.dialect ?? 'openai', visit.id)
    }
    return this.#send(response, visit, () => this.#end(visit, response.status, error, done))
  }

  async #run(visit: Visit, route: Route): Promise<HttpResponse> {
    const { context, releases } = visit
    const [first] = route.operations
    const takesNothing = !first.body || Object.keys(first.body.fields).length === 0
    if (takesNothing) return first.run(context, {})
    let bytes = 0
    releases.push(() => {
      this.#buffered.bytes -= bytes
    })
    const { bodyBytes } = this.settings.limits
    const given = await readJson(context.request, bodyBytes, this.#buffered, (more) => {
      bytes += more
    })
    const operation = route.choose?.(given) ?? first
    visit.operation = operation
    return operation.run(context, readBody(operation.body!, given))
  }

  /** Lets a request in, or answers it, or throws why not; in the order of what it costs. */
  #admit({ request, match, path }: Visit): HttpResponse | undefined {
    const { settings } = this
    checkHost(request, settings)
    if (!match) throw this.#notFound(path)
    const allow = [...match.methods, 'OPTIONS'].join(', ')
    if (request.method === 'OPTIONS') return preflight(request, allow)
    const { route } = match
    if (!route) {
      throw new RequestError('method_not_allowed', `Expected the method ${allow} for this path`, {
        headers: { allow },
      })
    }
    if (!route.isOpen) this.#keys.check(request)
    if (route.method === 'GET') return undefined
    if (this.#isClosing) {
      throw new RequestError('unavailable', 'The server is stopping. Ask another one.', {
        headers: { connection: 'close' },
      })
    }
    if (this.#inFlight > settings.limits.requests) {
      throw new RequestError('overloaded', 'Too many requests at one time. Try again later.')
    }
    return undefined
  }

  #notFound(path: string): RequestError {
    const near = this.#router.nearest(path)
    const meant = near === undefined ? '' : ` Did you mean ${this.settings.basePath}${near}?`
    return new RequestError(
      'not_found',
      `There is nothing at this path.${meant} See /openapi.json.`,
    )
  }

  /** The answer with the headers that every one has; `end` is called once, when all of it was taken. */
  #send(response: HttpResponse, visit: Visit, end: () => void): HttpResponse {
    const { request, context } = visit
    const { headers } = response
    const { usage } = context
    Object.assign(headers, corsHeaders(request, this.settings), { 'x-request-id': visit.id })
    if (usage.cut > 0) headers['x-truncated-tokens'] = `${usage.cut}`
    if (usage.model !== null) {
      headers['x-compute-characters'] = `${usage.characters}`
      headers['x-compute-tokens'] = `${usage.tokens}`
      headers['x-total-time'] = `${Math.round(performance.now() - visit.start)}`
    }
    if (typeof response.body === 'string' || response.body instanceof Uint8Array) {
      if (request.method === 'HEAD') {
        headers['content-length'] = `${Buffer.byteLength(response.body)}`
        response.body = ''
      }
      if (this.settings.compress) compress(request, response)
      end()
    } else {
      if (this.settings.compress) compress(request, response)
      response.body = ending(
        response.body as AsyncIterable<string | Uint8Array>,
        context.signal,
        end,
      )
    }
    return response
  }

  #end(visit: Visit, status: number, error: RequestError | null, done: OnDone): void {
    visit.deadline.end()
    for (const release of visit.releases.splice(0)) release()
    this.#inFlight--
    if (this.#inFlight === 0) for (const resolve of this.#onIdle.splice(0)) resolve()
    const line = logLine(visit, visit.context.usage, status, error)
    this.metrics.record(line)
    this.settings.log?.(line)
    done(line, visit.context.usage.dimensions)
  }
}

function split(url: string, basePath: string): { path: string; search: URLSearchParams } {
  const [, path = '/', query = ''] = /^(?:\w+:\/\/[^/?#]*)?([^?#]*)\??([^#]*)/.exec(url)!
  const isUnder = path === basePath || path.startsWith(`${basePath}/`)
  const own = isUnder ? path.slice(basePath.length) : ''
  return { path: isUnder ? own || '/' : '', search: new URLSearchParams(query) }
}
