// A language model behind an OpenAI-compatible endpoint: one call, repeated while the fault may pass.
import { setTimeout as wait } from 'node:timers/promises'
import { Qwen3Error } from '../../errors.ts'
import type { Generator } from './generator.ts'
import type { Call } from './prompts.ts'

export interface Endpoint {
  /** Up to and with its version, such as `http://localhost:8080/v1`. */
  url: string
  /** As the endpoint calls it. */
  model: string
  /** @default the environment's OPENAI_API_KEY, if there is one */
  apiKey?: string | undefined
  /** Calls at once. @default 8 */
  concurrency?: number | undefined
  /** @default 0.7 */
  temperature?: number | undefined
  /** How often a call is repeated after 408, 429, 5xx or no answer at all. @default 5 */
  retries?: number | undefined
  /** The first wait between two tries in ms; each is twice the one before. @default 500 */
  waitMs?: number | undefined
  /** A call that takes longer is given up and repeated, in ms. @default 120,000 */
  timeoutMs?: number | undefined
}

/** The longest wait between two tries, whatever an endpoint asks for. */
const longestWaitMs = 60_000

export function endpointGenerator(endpoint: Endpoint): Generator {
  const { url, model, temperature = null, concurrency = 8 } = endpoint
  return {
    name: model,
    identity: { url, model, temperature },
    concurrency,
    ask: (call, seed, signal) => ask(endpoint, call, seed, signal),
    close: async () => {},
  }
}

/**
 * The answer's text.
 *
 * @throws Qwen3Error `ERR_ENDPOINT` where it refuses or stays away, `ERR_UNAUTHORIZED`; the signal's reason.
 */
async function ask(
  endpoint: Endpoint,
  call: Call,
  seed: number,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { retries = 5, waitMs = 500 } = endpoint
  for (let attempt = 0; ; attempt++) {
    const outcome = await tryOnce(endpoint, call, seed, signal)
    if ('text' in outcome) return outcome.text
    if (attempt >= retries) throw failure(endpoint, outcome, attempt + 1)
    const own = waitMs * 2 ** attempt
    await wait(Math.min(longestWaitMs, Math.max(own, outcome.waitMs)), undefined, {
      ...(signal ? { signal } : {}),
    })
  }
}

type Outcome = { text: string } | { why: string; waitMs: number; cause?: unknown }

async function tryOnce(
  endpoint: Endpoint,
  { messages, name, schema }: Call,
  seed: number,
  signal: AbortSignal | undefined,
): Promise<Outcome> {
  const { url, model, temperature = 0.7, timeoutMs = 120_000 } = endpoint
  const key = endpoint.apiKey ?? process.env.OPENAI_API_KEY
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    const response = await fetch(`${url.replace(/\/+$/, '')}/chat/completions`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(key ? { authorization: `Bearer ${key}` } : {}),
      },
      body: JSON.stringify({
        model,
        messages,
        temperature,
        seed,
        max_tokens: 200,
        response_format: { type: 'json_schema', json_schema: { name, strict: true, schema } },
      }),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    })
    const body = await response.text()
    if (response.ok) return { text: textOf(body, endpoint) }
    const { status } = response
    if (status === 408 || status === 429 || status >= 500) {
      const asked = Number(response.headers.get('retry-after'))
      return { why: `status ${status}`, waitMs: asked > 0 ? asked * 1_000 : 0 }
    }
    throw refusal(endpoint, status, body)
  } catch (cause) {
    signal?.throwIfAborted()
    if (cause instanceof Qwen3Error) throw cause
    const why = timeout.aborted ? `no answer within ${timeoutMs} ms` : 'no connection'
    return { why, waitMs: 0, cause }
  }
}

function textOf(body: string, { url }: Endpoint): string {
  try {
    const { choices } = JSON.parse(body) as { choices: { message: { content: string | null } }[] }
    const { content } = choices[0]!.message
    if (typeof content === 'string') return content
    // An empty answer has no form, and is asked for again with another seed.
    if (content === null) return ''
  } catch {
    // Told below, as any other body that is no chat completion.
  }
  throw new Qwen3Error(
    'ERR_ENDPOINT',
    `Expected a chat completion from ${url} but got ${excerpt(body)}`,
    { url },
    { remedy: 'Give the address of an OpenAI-compatible endpoint, with its /v1.' },
  )
}

function refusal({ url, model }: Endpoint, status: number, body: string): Qwen3Error {
  if (status === 401 || status === 403) {
    return new Qwen3Error(
      'ERR_UNAUTHORIZED',
      `${url} refuses with status ${status}`,
      { url, status },
      { remedy: 'Give its key as apiKey or in OPENAI_API_KEY.' },
    )
  }
  return new Qwen3Error(
    'ERR_ENDPOINT',
    `${url} refuses a call of the model ${model} with status ${status}: ${excerpt(body)}`,
    { url, model, status },
    {
      remedy:
        'Check the address, the name of the model, and that it knows response_format json_schema.',
    },
  )
}

function failure(
  { url }: Endpoint,
  { why, cause }: { why: string; cause?: unknown },
  tries: number,
): Qwen3Error {
  return new Qwen3Error(
    'ERR_ENDPOINT',
    `${url} gave no answer in ${tries} tries: ${why}`,
    { url, tries },
    {
      remedy: 'Start it again and repeat the command: what was made is kept.',
      ...(cause === undefined ? {} : { cause }),
    },
  )
}

const excerpt = (body: string) => (body.length > 200 ? `${body.slice(0, 200)}…` : body)
