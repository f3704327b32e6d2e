// One error, said the way each API's clients expect it.
import { type HttpResponse, json } from './http/messages.ts'
import { type ErrorKind, type RequestError, statuses } from './request-error.ts'

/**
 * `cohere-or-jina` and `tei-or-jina` are paths that two APIs share; until the body tells which one is meant, the
 * answer has the fields of both.
 */
export type Dialect =
  | 'openai'
  | 'cohere'
  | 'jina'
  | 'tei'
  | 'ollama'
  | 'cohere-or-jina'
  | 'tei-or-jina'

type Statuses = Partial<Record<ErrorKind, number>>

// Where a dialect's status differs from the usual one.
const validation: Statuses = {
  invalid: 422,
  batch_too_large: 422,
  text_too_long: 422,
  too_many_tokens: 422,
}
const differing: Record<Dialect, Statuses> = {
  openai: {},
  ollama: {},
  cohere: {},
  'cohere-or-jina': {},
  jina: { ...validation, empty: 422, model_not_found: 422 },
  'tei-or-jina': { ...validation, empty: 422, model_not_found: 422 },
  tei: { ...validation, failed: 424, model_not_found: 422 },
}

function statusOf(error: RequestError, dialect: Dialect): number {
  return differing[dialect][error.kind] ?? statuses[error.kind]
}

/** All statuses a dialect answers with, for its documentation. */
export function statusesOf(dialect: Dialect): number[] {
  const all = Object.keys(statuses) as ErrorKind[]
  const used = all.map((kind) => differing[dialect][kind] ?? statuses[kind])
  return [...new Set(used)].sort()
}

export function errorResponse(error: RequestError, dialect: Dialect, id: string): HttpResponse {
  const answer = json(bodyOf(error, dialect, id), statusOf(error, dialect))
  Object.assign(answer.headers, error.headers)
  // OpenAI's client would send the same again, to run into the same deadline.
  if (error.kind === 'deadline_exceeded') answer.headers['x-should-retry'] = 'false'
  if (error.kind === 'overloaded') answer.headers['retry-after'] ??= '1'
  return answer
}

function bodyOf(error: RequestError, dialect: Dialect, id: string): object {
  const { message } = error
  switch (dialect) {
    case 'openai':
      return {
        error: {
          message,
          type: openaiType(statusOf(error, dialect)),
          param: error.param,
          code: openaiCodes[error.kind] ?? error.kind,
        },
      }
    case 'cohere':
      return { message, id }
    case 'ollama':
      return { error: message }
    case 'jina':
      return { detail: message }
    case 'tei':
      return teiBody(error)
    case 'cohere-or-jina':
      return { message, detail: message, id }
    case 'tei-or-jina':
      return { ...teiBody(error), message, detail: message }
  }
}

function teiBody({ message, kind }: RequestError) {
  return { error: message, error_type: teiTypes[kind] ?? 'Validation' }
}

const openaiCodes: Partial<Record<ErrorKind, string>> = {
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

const teiTypes: Partial<Record<ErrorKind, string>> = {
  empty: 'Empty',
  overloaded: 'Overloaded',
  unavailable: 'Unhealthy',
  failed: 'Backend',
  deadline_exceeded: 'Backend',
}
