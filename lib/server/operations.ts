// What operators ask a server: is it well, what is in it, what does it speak. And the page.
import { version } from '../root.ts'
import { answer, array, count, flag, nullable, object, text } from './answers.ts'
import { type Context, get, post, type Route } from './context.ts'
import { gaugesOf } from './files.ts'
import { type HttpResponse, json, text as plain } from './http/messages.ts'
import type { Listed } from './models.ts'
import { page } from './page.ts'
import { RequestError } from './request-error.ts'
import { body, optional, string, type Values } from './schema.ts'

/** A model that is not loaded is loaded when it is asked for; one whose process is being started again is not ready. */
function ready({ server, models }: Context): HttpResponse {
  if (server.isClosing) return json({ status: 'stopping' }, 503)
  const isRestarting = models.loaded.some(
    ({ model }) => model.isLoaded && model.stats.process?.memory === 0,
  )
  return isRestarting ? json({ status: 'restarting' }, 503) : json({ status: 'ok' })
}

const reloadBody = body('ReloadRequest', {
  model: optional(string, 'Default: all that are loaded.'),
})

/** Takes the files anew that stand at the models' paths; each call in between is answered by one or the other. */
async function reload(
  { models, settings, signal }: Context,
  { model }: Values<typeof reloadBody.fields>,
): Promise<HttpResponse> {
  if (settings.keys.length === 0) {
    throw new RequestError('forbidden', 'Expected a server with an API key for this')
  }
  const reloaded = []
  for (const { name, model: one } of models.reloadable(model)) {
    const before = one.info.fingerprint
    await one.reload(undefined, { signal })
    const { fingerprint } = one.info
    reloaded.push({ model: name, fingerprint, changed: fingerprint !== before })
  }
  return json({ reloaded })
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

async function metrics({ server, models, settings }: Context): Promise<HttpResponse> {
  const { index } = settings
  const facts = index ? await gaugesOf(index) : {}
  return plain(server.metrics.text(models, server.inFlight, facts), 'text/plain; version=0.0.4')
}

function root({ server, settings }: Context): HttpResponse {
  if (server.isClosing) throw new RequestError('unavailable', 'The server is stopping.')
  return settings.page ? page(settings.index !== null) : json({ status: 'ok' })
}

const status = answer(
  'Status',
  object({ status: { enum: ['ok', 'loading', 'restarting', 'stopping', 'alive'] } }),
)
const infoAnswer = answer(
  'TeiInfo',
  object({
    model_id: text,
    model_sha: nullable(text),
    model_dtype: text,
    served_model_name: text,
    model_type: { type: 'object' },
    max_concurrent_requests: count,
    max_input_length: count,
    max_batch_tokens: nullable(count),
    max_batch_requests: nullable(count),
    max_client_batch_size: count,
    auto_truncate: flag,
    tokenization_workers: count,
    version: text,
    sha: nullable(text),
    docker_label: nullable(text),
  }),
)

export function operationRoutes(hasPage: boolean): Route[] {
  const open = { dialect: 'tei', isOpen: true } as const
  return [
    get(
      {
        ...open,
        paths: ['/health', '/ping', '/readyz', '/health/ready'],
        id: 'health',
        summary:
          '200 while it takes requests; 503 while it loads, stops, or starts a process again',
        answer: status,
      },
      ready,
    ),
    get(
      {
        ...open,
        paths: ['/livez', '/health/live'],
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
    post(
      {
        paths: ['/admin/reload'],
        id: 'reload',
        dialect: 'openai',
        summary: "Takes the models' files anew; needs a server with a key",
        answer: answer(
          'Reloaded',
          object({
            reloaded: array(object({ model: text, fingerprint: text, changed: flag })),
          }),
        ),
      },
      reloadBody,
      reload,
    ),
    get(
      {
        paths: ['/metrics'],
        id: 'metrics',
        dialect: 'openai',
        summary: "Counts in Prometheus' text format",
        media: 'text/plain',
        answer: answer('Metrics', text),
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
        ...(hasPage ? { media: 'text/html', answer: answer('Page', text) } : { answer: status }),
      },
      root,
    ),
  ]
}
