// What a handler gets of its request and of the server, and what a route is.
import type { HttpRequest, HttpResponse } from './http/messages.ts'
import type { Metrics } from './metrics.ts'
import type { Models } from './models.ts'
import type { Limits, Settings } from './options.ts'
import type { Dialect } from './error-response.ts'
import type { Body, Fields, JsonSchema, Values } from './schema.ts'

/** Counted while a request is answered: its log line, its span and the metrics say no more than this. */
export interface Usage {
  model: string | null
  texts: number
  characters: number
  tokens: number
  /** Tokens that were cut off. */
  cut: number
  dimensions: number | null
  /** Milliseconds until the first pass for this request was done: its wait, and that pass. */
  firstPass: number | null
}

/** What operators ask of the server as a whole. */
export interface ServerState {
  readonly inFlight: number
  readonly isClosing: boolean
  readonly metrics: Metrics
  describe(): object
}

export interface Context {
  readonly id: string
  readonly request: HttpRequest
  readonly signal: AbortSignal
  readonly limits: Limits
  readonly settings: Settings
  readonly models: Models
  readonly server: ServerState
  readonly usage: Usage
  /** What stands in the path at its parameter, decoded: of `/v1/models/{id}`, the id. */
  readonly param: string
  readonly search: URLSearchParams
  /** Runs when the request is answered in full. */
  onEnd(release: () => void): void
}

/** A request that two APIs share answers, and fails, in the way of the one that its body shows. */
export interface Operation<F extends Fields = Fields> {
  readonly dialect: Dialect
  readonly body: Body<F> | undefined
  run(context: Context, values: Values<F>): HttpResponse | Promise<HttpResponse>
}

export interface Route {
  readonly method: 'GET' | 'POST'
  /** Other paths that do the same. `{id}` at the end takes the rest of a path; elsewhere, one part of it. */
  readonly paths: readonly [string, ...string[]]
  /** Of the first path, in the description. */
  readonly id: string
  readonly summary: string
  /** Chosen by the body where there are several. */
  readonly operations: readonly [Operation, ...Operation[]]
  choose?(body: unknown): Operation
  readonly answer: Answer
  /** Of a good answer. @default 'application/json' */
  readonly media?: string
  /** Needs no key. */
  readonly isOpen?: boolean
}

/** A good answer, as it is described. */
export interface Answer {
  readonly name: string
  readonly schema: JsonSchema
}

type RouteParts = Omit<Route, 'operations' | 'method' | 'answer' | 'choose'>

/** A route of one API. */
export function post<F extends Fields>(
  parts: RouteParts & { dialect: Dialect; answer: Answer },
  body: Body<F>,
  run: (context: Context, values: Values<F>) => HttpResponse | Promise<HttpResponse>,
): Route {
  const { dialect, ...route } = parts
  return { method: 'POST', ...route, operations: [operation(dialect, body, run)] }
}

export function get(
  parts: RouteParts & { dialect: Dialect; answer: Answer },
  run: (context: Context) => HttpResponse | Promise<HttpResponse>,
): Route {
  const { dialect, ...route } = parts
  return { method: 'GET', ...route, operations: [{ dialect, body: undefined, run }] }
}

export function operation<F extends Fields>(
  dialect: Dialect,
  body: Body<F>,
  run: (context: Context, values: Values<F>) => HttpResponse | Promise<HttpResponse>,
): Operation {
  // Its own body is what it is given: the pipeline reads one by the other.
  return { dialect, body, run: run as Operation['run'] }
}
