// Requests to an object store: bodies from files, and patience with servers that are busy or away.
import { createReadStream } from 'node:fs'
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import { Qwen3Error } from '../../errors.ts'

export interface Body {
  readonly file?: string
  /** Of the file, or of `text`. */
  readonly from: number
  readonly to: number
  readonly text?: string
  readonly sha256: string
}

export interface Ask {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Body | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  /** Must be read or destroyed. */
  readonly body: IncomingMessage
}

/** Made anew for every attempt: a signature is good for some minutes only. */
export type Sign = (ask: Ask) => Promise<Record<string, string>>

const idleMs = 60_000
const attempts = 9
const firstDelayMs = 200
const longestDelayMs = 20_000
const agents = {
  'http:': new HttpAgent({ keepAlive: true, maxSockets: 64 }),
  'https:': new HttpsAgent({ keepAlive: true, maxSockets: 64 }),
}

/** Worth another attempt, after a while: throttled, too slow, or a server that fails. */
const passing = [408, 425, 429, 500, 502, 503, 504]

/**
 * What the server says in the end; answers that pass are asked again, some {@link attempts} times within two minutes.
 *
 * @throws Qwen3Error `ERR_STORE` where no answer comes; the signal's reason.
 */
export async function ask(what: Ask, sign: Sign): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    what.signal?.throwIfAborted()
    let problem: string
    let waitMs = Math.min(longestDelayMs, firstDelayMs * 2 ** (attempt - 1))
    let cause: unknown
    try {
      const answer = await once(what, await sign(what))
      if (!passing.includes(answer.status)) return answer
      problem = `status ${answer.status}: ${(await textOf(answer)).slice(0, 200)}`
      const seconds = Number(answer.headers['retry-after'])
      if (seconds > 0) waitMs = Math.min(longestDelayMs, seconds * 1000)
    } catch (error) {
      if (what.signal?.aborted) throw what.signal.reason
      if (error instanceof Qwen3Error) throw error
      problem = (error as Error).message
      cause = error
    }
    if (attempt === attempts) {
      throw new Qwen3Error(
        'ERR_STORE',
        `${what.method} ${where(what.url)} failed ${attempts} times, at last with ${problem}`,
        { url: where(what.url) },
        { remedy: 'Look after the store, or its address; then start again.', cause },
      )
    }
    // Half of it at random: a thousand workers must not come back at one moment.
    await sleep(waitMs * (0.5 + Math.random() / 2), undefined, { signal: what.signal })
  }
}

/** Without its query, which may hold a secret. */
export const where = (url: URL): string => `${url.origin}${url.pathname}`

function once(what: Ask, headers: Record<string, string>): Promise<Answer> {
  const { method, url, body, signal } = what
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest
  const length = body ? { 'content-length': `${body.to - body.from}` } : {}
  const agent = agents[url.protocol as keyof typeof agents]
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers: { ...headers, ...length }, agent, signal })
    sent.setTimeout(idleMs, () => sent.destroy(new Error(`nothing came for ${idleMs} ms`)))
    sent.once('error', reject)
    sent.once('response', (message) => {
      // Of a body that is still to be read: its reader meets the error too.
      sent.on('error', () => {})
      resolve({ status: message.statusCode ?? 0, headers: message.headers, body: message })
    })
    if (body?.file !== undefined && body.to > body.from) {
      const file = createReadStream(body.file, { start: body.from, end: body.to - 1 })
      file.once('error', (error) => sent.destroy(error))
      sent.once('close', () => file.destroy())
      file.pipe(sent)
    } else sent.end(body?.text)
  })
}

export async function textOf({ body }: Answer): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of body) chunks.push(chunk as Buffer)
  return `${Buffer.concat(chunks)}`
}

/** The answer's body is not wanted. */
export function drop({ body }: Answer): void {
  body.on('error', () => {})
  body.resume()
}

/** For a status that nobody expected. */
export async function refused(what: Ask, answer: Answer): Promise<Qwen3Error> {
  const text = (await textOf(answer)).slice(0, 500)
  const code = /<Code>([^<]+)/.exec(text)?.[1] ?? ''
  const said = /<Message>([^<]+)/.exec(text)?.[1] ?? text
  const isRights = answer.status === 401 || answer.status === 403
  return new Qwen3Error(
    'ERR_STORE',
    `${what.method} ${where(what.url)} was refused with status ${answer.status} ${code} ${said}`.trim(),
    { url: where(what.url), status: answer.status },
    {
      remedy: isRights
        ? 'Look after the credentials in the environment and their rights on this bucket.'
        : '',
    },
  )
}
