// The description at /openapi.json, made from the routes: their bodies are what requests are checked by.
import { errors } from './answers.ts'
import type { Route } from './context.ts'
import { type Dialect, statusesOf } from './error-response.ts'
import type { Settings } from './options.ts'
import { describeBody, type JsonSchema } from './schema.ts'

export function openapi(routes: readonly Route[], settings: Settings, version: string): object {
  const schemas: Record<string, JsonSchema> = {}
  const paths: Record<string, Record<string, object>> = {}
  for (const route of routes) {
    for (const [i, path] of route.paths.entries()) {
      paths[path] ??= {}
      const id = i === 0 ? route.id : `${route.id}_${i + 1}`
      paths[path][route.method.toLowerCase()] = describeRoute(route, path, id, schemas, settings)
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'qwen3-embed',
      version,
      license: { name: 'MIT', identifier: 'MIT' },
      description:
        'Qwen3 embedding and reranking models, for the clients of OpenAI, Azure, Cohere, Voyage, Jina, NVIDIA NIM, ' +
        'vLLM, TEI, Hugging Face and Ollama.',
    },
    servers: [{ url: settings.basePath || '/' }],
    security: settings.keys.length > 0 ? [{ bearer: [] }, { apiKey: [] }, { azureKey: [] }] : [],
    paths,
    components: {
      schemas,
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        azureKey: { type: 'apiKey', in: 'header', name: 'api-key' },
      },
    },
  }
}

function describeRoute(
  route: Route,
  path: string,
  operationId: string,
  schemas: Record<string, JsonSchema>,
  { limits }: Settings,
): object {
  const named = (name: string, schema: JsonSchema) => {
    schemas[name] = schema
    return { $ref: `#/components/schemas/${name}` }
  }
  const bodies = new Set(route.operations.flatMap(({ body }) => body ?? []))
  const requests = [...bodies].map((body) => named(body.name, describeBody(body, limits)))
  const good = named(route.answer.name, route.answer.schema)
  const responses: Record<string, object> = {
    '200': {
      description: 'The result',
      content: { [route.media ?? 'application/json']: { schema: good } },
    },
  }
  for (const [status, dialects] of failures(route)) {
    const refs = dialects.map((dialect) => named(errors[dialect].name, errors[dialect].schema))
    responses[status] = {
      description: descriptions[status] ?? 'Refused',
      content: { 'application/json': { schema: oneOrAny(refs) } },
    }
  }
  return {
    operationId,
    summary: route.summary,
    ...(route.isOpen && { security: [] }),
    ...(path.includes('{id}') && {
      parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }],
    }),
    ...(requests.length > 0 && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: oneOrAny(requests) } },
      },
    }),
    responses,
  }
}

function oneOrAny(schemas: readonly object[]): object {
  return schemas.length === 1 ? schemas[0]! : { anyOf: schemas }
}

/** By status, who says it; and 503 of a health check, which is no error. */
function failures({ operations }: Route): Map<string, Dialect[]> {
  const by = new Map<string, Dialect[]>()
  for (const dialect of new Set(operations.map((one) => one.dialect))) {
    for (const status of statusesOf(dialect)) {
      by.set(`${status}`, [...(by.get(`${status}`) ?? []), dialect])
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
