// One refusal, said the way each API's clients expect it.
import { type Answer, json } from './exchange.ts'
import { type Refusal, type RefusalKind, statuses } from './refusal.ts'

/**
 * `cohere-or-jina` and `tei-or-jina` are paths that two APIs share; until the body tells which one is meant, the
 * answer has the fields of both.
 */
export type Dialect = 'openai' | 'cohere' | 'jina' | 'tei' | 'cohere-or-jina' | 'tei-or-jina'

type Statuses = Partial<Record<RefusalKind, number>>

// Where a dialect's status differs from the usual one.
const validation: Statuses = {
  invalid: 422,
  batch_too_large: 422,
  text_too_long: 422,
  too_many_tokens: 422,
}
const differing: Record<Dialect, Statuses> = {
  openai: {},
  cohere: {},
  'cohere-or-jina': {},
  jina: { ...validation, empty: 422, model_not_found: 422 },
  'tei-or-jina': { ...validation, empty: 422, model_not_found: 422 },
  tei: { ...validation, failed: 424, model_not_found: 422 },
}

function statusOf(refusal: Refusal, dialect: Dialect): number {
  return differing[dialect][refusal.kind] ?? statuses[refusal.kind]
}

/** All statuses a dialect answers with, for its documentation. */
export function statusesOf(dialect: Dialect): number[] {
  const all = Object.keys(statuses) as RefusalKind[]
  const used = all.map((kind) => differing[dialect][kind] ?? statuses[kind])
  return [...new Set(used)].sort()
}

export function refusalAnswer(refusal: Refusal, dialect: Dialect, id: string): Answer {
  const answer = json(bodyOf(refusal, dialect, id), statusOf(refusal, dialect))
  Object.assign(answer.headers, refusal.headers)
  // OpenAI's client would send the same again, to run into the same deadline.
  if (refusal.kind === 'deadline_exceeded') answer.headers['x-should-retry'] = 'false'
  if (refusal.kind === 'overloaded') answer.headers['retry-after'] ??= '1'
  return answer
}

function bodyOf(refusal: Refusal, dialect: Dialect, id: string): object {
  const { message } = refusal
  switch (dialect) {
    case 'openai':
      return {
        error: {
          message,
          type: openaiType(statusOf(refusal, dialect)),
          param: refusal.param,
          code: openaiCodes[refusal.kind] ?? refusal.kind,
        },
      }
    case 'cohere':
      return { message, id }
    case 'jina':
      return { detail: message }
    case 'tei':
      return teiBody(refusal)
    case 'cohere-or-jina':
      return { message, detail: message, id }
    case 'tei-or-jina':
      return { ...teiBody(refusal), message, detail: message }
  }
}

function teiBody({ message, kind }: Refusal) {
  return { error: message, error_type: teiTypes[kind] ?? 'Validation' }
}

const openaiCodes: Partial<Record<RefusalKind, string>> = {
  text_too_long: 'context_length_exceeded',
  unauthorized: 'invalid_api_key',
  overloaded: 'rate_limit_exceeded',
}

function openaiType(status: number): string {
  if (status === 401) return 'authentication_error'
  if (status === 403) return 'permission_error'
  if (status === 404) return 'not_found_error'
  if (status === 429) return 'rate_limit_error'
  return status >= 500 ? 'server_error' : 'invalid_request_error'
}

const teiTypes: Partial<Record<RefusalKind, string>> = {
  empty: 'Empty',
  overloaded: 'Overloaded',
  unavailable: 'Unhealthy',
  failed: 'Backend',
  deadline_exceeded: 'Backend',
}
