// What is known and counted of one request: its log line, its span and the metrics say no more than this.
import { randomUUID } from 'node:crypto'
import type { Incoming } from './exchange.ts'
import { type LogLine, stackOf } from './log.ts'
import type { Limits } from './options.ts'
import type { Refusal } from './refusal.ts'
import type { Found } from './routes.ts'

/** Counted while a request is answered. */
export interface Tally {
  readonly id: string
  readonly signal: AbortSignal
  readonly limits: Limits
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

export class Visit {
  readonly incoming: Incoming
  readonly found: Found | undefined
  readonly tally: Tally
  readonly start = performance.now()
  readonly time = new Date().toISOString()

  constructor(incoming: Incoming, found: Found | undefined, signal: AbortSignal, limits: Limits) {
    this.incoming = incoming
    this.found = found
    const given = incoming.header('x-request-id')
    this.tally = {
      id: given && /^[\w.:-]{1,100}$/.test(given) ? given : randomUUID(),
      signal,
      limits,
      model: null,
      texts: 0,
      characters: 0,
      tokens: 0,
      cut: 0,
      dimensions: null,
      firstPass: null,
    }
  }
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

export function lineOf(visit: Visit, status: number, refusal: Refusal | null): LogLine {
  const { incoming, found, tally } = visit
  const stack = refusal?.kind === 'failed' ? stackOf(refusal.cause ?? refusal) : undefined
  return {
    time: visit.time,
    id: tally.id,
    method: methods.includes(incoming.method) ? incoming.method : 'other',
    route: found?.pattern ?? 'other',
    status,
    ms: rounded(performance.now() - visit.start),
    code: refusal?.kind ?? null,
    model: tally.model,
    texts: tally.texts,
    characters: tally.characters,
    tokens: tally.tokens,
    cut: tally.cut,
    firstPassMs: tally.firstPass === null ? null : rounded(tally.firstPass),
    ...(stack === undefined ? {} : { stack }),
  }
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100
}
