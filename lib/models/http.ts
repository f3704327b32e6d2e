import { Qwen3Error } from '../errors.ts'
import { type Conditions, Transient } from './retry.ts'

/** What a request needs beyond its address. */
export interface Access extends Conditions {
  readonly endpoint: string
  readonly token: string | undefined
}

/** A response whose status has not been judged yet. Its body must be read or discarded. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** The address that answered, after redirects. */
  readonly url: string
  /** The hash the hub states on its own redirect, before a content network answers. */
  readonly linkedTag: string | undefined
  chunks(): AsyncGenerator<Uint8Array>
  discard(): Promise<void>
}

const maxRedirects = 10
// Lengths and ranges must be those of the file itself.
const ours = { 'accept-encoding': 'identity', 'user-agent': 'qwen3-embed' }

export async function request(
  url: string,
  access: Access,
  headers: Record<string, string> = {},
): Promise<Answer> {
  access.signal?.throwIfAborted()
  const watch = new StallWatch(access)
  let current = new URL(url)
  let linkedTag: string | undefined
  let trusted = true
  try {
    for (let hop = 0; hop <= maxRedirects; hop++) {
      trusted &&= current.origin === new URL(access.endpoint).origin
      const response = await fetch(current, {
        headers: { ...ours, ...headers, ...(trusted && bearer(access)) },
        // Followed by hand: the token goes to the hub's own origin, and never again once it was left.
        redirect: 'manual',
        signal: watch.signal,
      })
      watch.refresh()
      linkedTag ??= response.headers.get('x-linked-etag') ?? undefined
      const location = response.headers.get('location')
      if (response.status < 300 || response.status >= 400 || location === null) {
        return answer(response, current.href, linkedTag, watch)
      }
      await response.body?.cancel()
      current = redirected(current, location)
    }
    throw new Qwen3Error(
      'ERR_DOWNLOAD',
      `${show(url)} redirects without end`,
      { url: show(url) },
      { remedy: 'Check its address.' },
    )
  } catch (error) {
    watch.end()
    throw watch.explain(error, show(current))
  }
}

/** An address fit for messages: signed addresses carry secrets in their query. */
export function show(url: string | URL): string {
  const { origin, pathname } = new URL(url)
  return origin + pathname
}

function bearer(access: Access): Record<string, string> {
  return access.token === undefined ? {} : { authorization: `Bearer ${access.token}` }
}

function redirected(from: URL, location: string): URL {
  const to = new URL(location, from)
  if (to.protocol === 'https:' || (to.protocol === 'http:' && from.protocol === 'http:')) return to
  throw new Qwen3Error(
    'ERR_DOWNLOAD',
    `${show(from)} redirects to ${to.protocol}//${to.host}, which is not encrypted; nothing was fetched from there`,
    { url: show(from), to: to.host },
  )
}

function answer(
  response: Response,
  url: string,
  linkedTag: string | undefined,
  watch: StallWatch,
): Answer {
  return {
    status: response.status,
    headers: response.headers,
    url,
    linkedTag,
    async *chunks() {
      const reader = response.body?.getReader()
      try {
        while (reader !== undefined) {
          watch.refresh()
          const { done, value } = await reader.read()
          watch.pause()
          if (done) return
          yield value
        }
      } catch (error) {
        throw watch.explain(error, show(url))
      } finally {
        watch.end()
        await reader?.cancel().catch(() => {})
      }
    },
    async discard() {
      watch.end()
      await response.body?.cancel().catch(() => {})
    },
  }
}

/** Ends one request when the caller aborts it or when nothing arrives for too long. */
class StallWatch {
  readonly #controller = new AbortController()
  readonly #access: Access
  readonly #abort = () => this.#controller.abort(this.#access.signal?.reason)
  #timer: NodeJS.Timeout | undefined
  #stalled = false

  constructor(access: Access) {
    this.#access = access
    access.signal?.addEventListener('abort', this.#abort, { once: true })
    this.refresh()
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  refresh(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#stalled = true
      this.#controller.abort()
    }, this.#access.transfer.stallMs)
  }

  /** The receiver is busy: silence is not the server's. */
  pause(): void {
    clearTimeout(this.#timer)
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#access.signal?.removeEventListener('abort', this.#abort)
  }

  explain(error: unknown, url: string): unknown {
    if (this.#access.signal?.aborted) return this.#access.signal.reason
    if (this.#stalled) {
      return new Transient(
        `${url} sent nothing for ${this.#access.transfer.stallMs / 1000} seconds`,
      )
    }
    // `fetch` reports everything the network does as a TypeError with the reason as its cause.
    if (!(error instanceof TypeError)) return error
    const cause = error.cause as NodeJS.ErrnoException | undefined
    const code = cause?.code ?? ''
    if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/.test(code)) {
      return new Qwen3Error(
        'ERR_DOWNLOAD',
        `The certificate of ${url} was not accepted (${code})`,
        { url, reason: code },
        { remedy: 'Behind a company proxy, set NODE_EXTRA_CA_CERTS.', cause: error },
      )
    }
    return new Transient(
      `the connection to ${url} failed (${code || cause?.message || error.message})`,
      {
        cause: error,
      },
    )
  }
}
