// The description at /openapi.json, made from the table of routes.
import type { Route } from './call.ts'
import { type Dialect, statusesOf } from './dialects.ts'
import type { Settings } from './options.ts'
import { answerSchemas, errorSchemas, requestSchemas } from './schemas.ts'

export function openapi(routes: readonly Route[], settings: Settings, version: string): object {
  const requests = requestSchemas(settings.limits)
  const paths: Record<string, Record<string, object>> = {}
  for (const route of routes) {
    for (const path of route.paths) {
      const shown = path.replace(/\*$/, '{id}')
      paths[shown] ??= {}
      paths[shown][route.method.toLowerCase()] = operation(route, requests)
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'qwen3-embed',
      version,
      description: 'Qwen3 embedding and reranking models, for the clients of four APIs.',
    },
    servers: [{ url: settings.basePath || '/' }],
    ...(settings.keys.length > 0 ? { security: [{ key: [] }] } : {}),
    paths,
    components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
  }
}

function operation(route: Route, requests: ReturnType<typeof requestSchemas>): object {
  const [name] = route.paths
  const request = requests[name]
  const { media } = route
  const own = answerSchemas[`${route.method} ${name}`] ?? answerSchemas[name]
  const answer = media ? { type: 'string' } : (own ?? {})
  const responses: Record<string, object> = {
    '200': {
      description: 'The result',
      content: { [media ?? 'application/json']: { schema: answer } },
    },
  }
  for (const [status, dialects] of refusals(route)) {
    const schemas = dialects.map((dialect) => errorSchemas[dialect])
    const schema = schemas.length === 1 ? schemas[0] : { anyOf: schemas }
    responses[status] = {
      description: descriptions[status] ?? 'Refused',
      content: { 'application/json': { schema } },
    }
  }
  return {
    summary: route.summary,
    ...(route.isOpen ? { security: [] } : {}),
    ...(name.endsWith('/*')
      ? { parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }] }
      : {}),
    ...(request && route.method === 'POST'
      ? { requestBody: { required: true, content: { 'application/json': { schema: request } } } }
      : {}),
    responses,
  }
}

/** A path that two APIs share answers in either's way once the body has told them apart. */
function refusals({ dialect }: Route): Map<string, Dialect[]> {
  const dialects: Dialect[] = [dialect]
  if (dialect === 'cohere-or-jina') dialects.push('tei')
  if (dialect === 'tei-or-jina') dialects.push('tei', 'jina')
  const by = new Map<string, Dialect[]>()
  for (const one of dialects) {
    for (const status of statusesOf(one)) {
      by.set(`${status}`, [...(by.get(`${status}`) ?? []), one])
    }
  }
  return by
}

const descriptions: Readonly<Record<string, string>> = {
  400: 'The request makes no sense',
  401: 'No key, or not one of this server',
  403: 'Asked for under a name that this server does not answer to',
  404: 'No such path or model',
  405: 'Not with this method',
  413: 'The body is too large',
  415: 'The body is not JSON in UTF-8',
  422: 'A field is wrong, or a text is too long',
  424: 'The model failed',
  429: 'Too much waits already; Retry-After says how long to wait',
  499: 'The client went away',
  500: 'The server failed',
  503: 'The server is stopping or out of memory',
  504: 'It took longer than the deadline',
}
