// One line for each answered request.
import type { Usage } from './context.ts'
import type { HttpRequest } from './http/messages.ts'
import type { RequestError } from './request-error.ts'

/** One answered request. No text of a user is in it, nor anything that he chose freely. */
export interface LogLine {
  /** ISO 8601, of the request's arrival. */
  time: string
  id: string
  method: string
  /** The path as documented, or `other`. */
  route: string
  status: number
  /** From arrival to the end of the answer. */
  ms: number
  /** Why it was refused or failed. */
  code: string | null
  model: string | null
  texts: number
  characters: number
  tokens: number
  cut: number
  firstPassMs: number | null
  /** Of an unexpected failure: where it happened. */
  stack?: string
}

/** The frames of a failure, without its message, which may quote a text. */
export function stackOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const frames = error.stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? []
  return [error.name, ...frames.map((frame) => frame.trim())].join(' | ')
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** What is known of a request from its arrival on. */
export interface Arrival {
  readonly id: string
  readonly request: HttpRequest
  readonly route: string
  readonly start: number
  readonly time: string
}

export function logLine(
  { id, request, route, start, time }: Arrival,
  usage: Usage,
  status: number,
  error: RequestError | null,
): LogLine {
  const stack = error?.kind === 'failed' ? stackOf(error.cause ?? error) : undefined
  const { firstPass, dimensions: _, ...counts } = usage
  return {
    time,
    id,
    method: methods.includes(request.method) ? request.method : 'other',
    route,
    status,
    ms: rounded(performance.now() - start),
    code: error?.kind ?? null,
    ...counts,
    firstPassMs: firstPass === null ? null : rounded(firstPass),
    ...(stack === undefined ? {} : { stack }),
  }
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100
}
