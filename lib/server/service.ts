// What operators ask a server: is it well, what is in it, what does it speak. And the page.
import { version } from '../root.ts'
import type { Call, Route } from './call.ts'
import { type Answer, json } from './exchange.ts'
import { openapi } from './openapi.ts'
import { page } from './page.ts'
import { Refusal } from './refusal.ts'
import type { Served } from './served.ts'

function health({ desk }: Call): Answer {
  return desk.isClosing ? json({ status: 'stopping' }, 503) : json({ status: 'ok' })
}

/** TEI's: of one model, which `?model=` names. */
function info({ models, settings, search }: Call): Answer {
  const name = search.get('model')
  const served = name === null ? models.all[0]! : models.get(name)
  const { limits } = settings
  const { model } = served
  return json({
    model_id: served.name,
    model_sha: null,
    model_dtype: model.info.quantization,
    served_model_name: served.name,
    model_type: typeOf(served),
    max_concurrent_requests: limits.requests,
    max_input_length: model.maxTokens,
    max_batch_tokens: model.info.budget,
    max_batch_requests: null,
    max_client_batch_size: limits.batch,
    auto_truncate: settings.autoTruncate,
    tokenization_workers: 1,
    version,
    sha: null,
    docker_label: null,
  })
}

function typeOf(served: Served) {
  if (served.kind === 'embedding') {
    const { pooling } = served.model.info
    return { embedding: { pooling: pooling === 'last' ? 'last_token' : (pooling ?? 'last_token') } }
  }
  return { reranker: { id2label: { '0': 'yes' }, label2id: { yes: 0 } } }
}

function metrics({ desk, models }: Call): Answer {
  return desk.metrics.answer(models, desk.inFlight)
}

function description({ desk, settings }: Call): Answer {
  const routes = desk.routes.map((route) =>
    route === pageRoot && !settings.page ? bareRoot : route,
  )
  return json(openapi(routes, settings, version))
}

function root(call: Call): Answer {
  if (call.desk.isClosing) throw new Refusal('unavailable', 'The server is stopping.')
  return call.settings.page ? page() : json({ status: 'ok' })
}

const bareRoot: Route = {
  method: 'GET',
  paths: ['/'],
  dialect: 'openai',
  summary: 'That the server runs',
  isOpen: true,
  run: root,
}
const pageRoot: Route = { ...bareRoot, summary: 'A page to try the models on', media: 'text/html' }

export const serviceRoutes: readonly Route[] = [
  {
    method: 'GET',
    paths: ['/health', '/ping'],
    dialect: 'tei',
    summary: '200 while it takes requests, 503 while it stops',
    isOpen: true,
    run: health,
  },
  {
    method: 'GET',
    paths: ['/info'],
    dialect: 'tei',
    summary: 'What TEI tells of a model; `?model=` names one',
    run: info,
  },
  {
    method: 'GET',
    paths: ['/metrics'],
    dialect: 'openai',
    summary: "Counts in Prometheus' text format",
    media: 'text/plain',
    run: metrics,
  },
  {
    method: 'GET',
    paths: ['/openapi.json'],
    dialect: 'openai',
    summary: 'This description',
    isOpen: true,
    run: description,
  },
  pageRoot,
]
