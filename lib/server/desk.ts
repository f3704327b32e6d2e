// The story of one request: found, let in, read, run, answered, logged.
import { Buffered, readJson } from './body.ts'
import type { Call } from './call.ts'
import { refusalAnswer } from './dialects.ts'
import type { Answer, Incoming } from './exchange.ts'
import { Fields } from './fields.ts'
import { Keys } from './keys.ts'
import type { LogLine } from './log.ts'
import { Metrics } from './metrics.ts'
import type { Settings } from './options.ts'
import { checkHost, corsHeaders, preflight } from './origins.ts'
import { Refusal, refusalOf } from './refusal.ts'
import { findRoute, routes } from './routes.ts'
import { ServedModels } from './served.ts'
import { Tracing } from './tracing.ts'
import { lineOf, Visit } from './visit.ts'
import { ending, Watch } from './watch.ts'

type Done = (line: LogLine, dimensions: number | null) => void

export class Desk {
  readonly settings: Settings
  readonly routes = routes
  readonly models: ServedModels
  readonly metrics = new Metrics()
  readonly #keys: Keys
  readonly #buffered: Buffered
  readonly #tracing: Tracing | null
  readonly #onIdle: (() => void)[] = []
  #inFlight = 0
  #isClosing = false

  constructor(settings: Settings) {
    this.settings = settings
    this.models = new ServedModels(settings)
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

  close(): Promise<void> {
    this.#isClosing = true
    if (this.#inFlight === 0) return Promise.resolve()
    return new Promise((resolve) => this.#onIdle.push(resolve))
  }

  answer(incoming: Incoming): Promise<Answer> {
    const { path, search } = split(incoming.url, this.settings.basePath)
    const found = findRoute(incoming.method, path)
    const watch = new Watch(incoming.signal, this.settings.limits.deadline)
    const visit = new Visit(incoming, found, watch.signal, this.settings.limits)
    const call: Call = {
      desk: this,
      models: this.models,
      settings: this.settings,
      tally: visit.tally,
      rest: found?.rest ?? '',
      search,
      dialect: found?.route?.dialect ?? 'openai',
    }
    if (!this.#tracing || !found?.route) return this.#answer(visit, call, watch, () => {})
    return this.#tracing.around(incoming, found.pattern, (done) =>
      this.#answer(visit, call, watch, done),
    )
  }

  async #answer(visit: Visit, call: Call, watch: Watch, done: Done): Promise<Answer> {
    let bytes = 0
    let refusal: Refusal | null = null
    let answer: Answer
    this.#inFlight++
    try {
      answer =
        this.#admit(visit) ??
        (await visit.found!.route!.run(
          call,
          await this.#readFields(visit, (more) => {
            bytes += more
          }),
        ))
    } catch (error) {
      refusal = refusalOf(watch.signal.aborted ? watch.signal.reason : error)
      answer = refusalAnswer(refusal, call.dialect, visit.tally.id)
    }
    return this.#send(answer, visit, () => {
      watch.end()
      this.#buffered.bytes -= bytes
      this.#inFlight--
      if (this.#inFlight === 0) for (const resolve of this.#onIdle.splice(0)) resolve()
      const line = lineOf(visit, answer.status, refusal)
      this.metrics.record(line)
      this.settings.log?.(line)
      done(line, visit.tally.dimensions)
    })
  }

  async #readFields({ incoming, found }: Visit, onBytes: (bytes: number) => void): Promise<Fields> {
    if (found?.route?.method === 'GET') return new Fields({})
    const { bodyBytes } = this.settings.limits
    return new Fields(await readJson(incoming, bodyBytes, this.#buffered, onBytes))
  }

  /** Lets a request in, or answers it, or throws why not; in the order of what it costs. */
  #admit({ incoming, found }: Visit): Answer | undefined {
    const { settings } = this
    checkHost(incoming, settings)
    if (!found) {
      throw new Refusal('not_found', 'There is nothing at this path. See /openapi.json.')
    }
    const allow = [...found.methods, 'OPTIONS'].join(', ')
    if (incoming.method === 'OPTIONS') return preflight(incoming, allow)
    const { route } = found
    if (!route) {
      throw new Refusal('method_not_allowed', `Expected the method ${allow} for this path`, {
        headers: { allow },
      })
    }
    if (!route.isOpen) this.#keys.check(incoming)
    if (route.method === 'GET') return undefined
    if (this.#isClosing) {
      throw new Refusal('unavailable', 'The server is stopping. Ask another one.', {
        headers: { connection: 'close' },
      })
    }
    if (this.#inFlight > settings.limits.requests) {
      throw new Refusal('overloaded', 'Too many requests at one time. Try again later.')
    }
    return undefined
  }

  /** The answer with the headers that every one has; `end` is called once, when all of it was taken. */
  #send(answer: Answer, visit: Visit, end: () => void): Answer {
    const { incoming, tally } = visit
    const { headers } = answer
    Object.assign(headers, corsHeaders(incoming, this.settings), { 'x-request-id': tally.id })
    if (tally.cut > 0) headers['x-truncated-tokens'] = `${tally.cut}`
    if (tally.model !== null) {
      headers['x-compute-characters'] = `${tally.characters}`
      headers['x-compute-tokens'] = `${tally.tokens}`
      headers['x-total-time'] = `${Math.round(performance.now() - visit.start)}`
    }
    if (typeof answer.body === 'string' || answer.body instanceof Uint8Array) {
      if (incoming.method === 'HEAD') {
        headers['content-length'] = `${Buffer.byteLength(answer.body)}`
        answer.body = ''
      }
      end()
    } else {
      answer.body = ending(answer.body, tally.signal, end)
    }
    return answer
  }
}

function split(url: string, basePath: string): { path: string; search: URLSearchParams } {
  const [, path = '/', query = ''] = /^(?:\w+:\/\/[^/?#]*)?([^?#]*)\??([^#]*)/.exec(url)!
  const isUnder = path === basePath || path.startsWith(`${basePath}/`)
  const own = isUnder ? path.slice(basePath.length) : ''
  return { path: isUnder ? own || '/' : '', search: new URLSearchParams(query) }
}
