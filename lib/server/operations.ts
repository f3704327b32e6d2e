// What operators ask a server: is it well, what is in it, what does it speak. And the page.
import { version } from '../root.ts'
import { answer, count, flag, nullable, object, text as string } from './answers.ts'
import { type Context, get, type Route } from './context.ts'
import { type HttpResponse, json, text } from './http/messages.ts'
import type { Listed } from './models.ts'
import { page } from './page.ts'
import { RequestError } from './request-error.ts'

function ready({ server }: Context): HttpResponse {
  return server.isClosing ? json({ status: 'stopping' }, 503) : json({ status: 'ok' })
}

/** TEI's: of one model, which `?model=` names. */
function info({ models, settings, search }: Context): HttpResponse {
  const one = models.listed(search.get('model') ?? undefined)
  const { limits } = settings
  return json({
    model_id: one.name,
    model_sha: null,
    model_dtype: one.info.quantization,
    served_model_name: one.name,
    model_type: typeOf(one),
    max_concurrent_requests: limits.requests,
    max_input_length: one.maxTokens,
    max_batch_tokens: 'budget' in one.info ? one.info.budget : null,
    max_batch_requests: null,
    max_client_batch_size: limits.batch,
    auto_truncate: settings.autoTruncate,
    tokenization_workers: 1,
    version,
    sha: null,
    docker_label: null,
  })
}

function typeOf({ kind, info: { pooling } }: Listed) {
  if (kind === 'reranking') return { reranker: { id2label: { '0': 'yes' }, label2id: { yes: 0 } } }
  return { embedding: { pooling: pooling === 'last' ? 'last_token' : (pooling ?? 'last_token') } }
}

function metrics({ server, models }: Context): HttpResponse {
  return text(server.metrics.text(models, server.inFlight), 'text/plain; version=0.0.4')
}

function root({ server, settings }: Context): HttpResponse {
  if (server.isClosing) throw new RequestError('unavailable', 'The server is stopping.')
  return settings.page ? page(settings.index !== null) : json({ status: 'ok' })
}

const status = answer('Status', object({ status: { enum: ['ok', 'stopping', 'alive'] } }))
const infoAnswer = answer(
  'TeiInfo',
  object({
    model_id: string,
    model_sha: nullable(string),
    model_dtype: string,
    served_model_name: string,
    model_type: { type: 'object' },
    max_concurrent_requests: count,
    max_input_length: count,
    max_batch_tokens: nullable(count),
    max_batch_requests: nullable(count),
    max_client_batch_size: count,
    auto_truncate: flag,
    tokenization_workers: count,
    version: string,
    sha: nullable(string),
    docker_label: nullable(string),
  }),
)

export function operationRoutes(hasPage: boolean): Route[] {
  const open = { dialect: 'tei', isOpen: true } as const
  return [
    get(
      {
        ...open,
        paths: ['/health', '/ping', '/readyz'],
        id: 'health',
        summary: '200 while it takes requests, 503 while it stops',
        answer: status,
      },
      ready,
    ),
    get(
      {
        ...open,
        paths: ['/livez'],
        id: 'alive',
        summary: '200 while the process answers, also while it stops',
        answer: status,
      },
      () => json({ status: 'alive' }),
    ),
    get(
      {
        paths: ['/info'],
        id: 'teiInfo',
        dialect: 'tei',
        summary: 'What TEI tells of a model; `?model=` names one',
        answer: infoAnswer,
      },
      info,
    ),
    get(
      {
        paths: ['/metrics'],
        id: 'metrics',
        dialect: 'openai',
        summary: "Counts in Prometheus' text format",
        media: 'text/plain',
        answer: answer('Metrics', string),
      },
      metrics,
    ),
    get(
      {
        paths: ['/openapi.json'],
        id: 'openapi',
        dialect: 'openai',
        summary: 'This description',
        isOpen: true,
        answer: answer('OpenAPI', { type: 'object' }),
      },
      ({ server }) => json(server.describe()),
    ),
    get(
      {
        paths: ['/'],
        id: 'root',
        dialect: 'openai',
        summary: hasPage ? 'A page to try the models on' : 'That the server runs',
        isOpen: true,
        ...(hasPage ? { media: 'text/html', answer: answer('Page', string) } : { answer: status }),
      },
      root,
    ),
  ]
}
