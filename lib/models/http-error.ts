import { Qwen3Error } from '../errors.ts'
import { type Access, type Answer, show } from './http.ts'
import { Transient } from './retry.ts'

/** The error for a response that carries no content. Discards the body. */
export async function httpError(answer: Answer, what: string, access: Access): Promise<Error> {
  await answer.discard()
  const { status, headers } = answer
  const url = show(answer.url)
  const reason = headers.get('x-error-code') ?? ''
  const said = headers.get('x-error-message')?.slice(0, 200)
  const facts = { status, url }
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    return new Transient(`${url} answered ${status}`, { retryAfterMs: retryAfter(headers) })
  }
  const isMissing = reason === 'EntryNotFound' || reason === 'RevisionNotFound'
  if (status === 404 || status === 410 || isMissing) {
    return new Qwen3Error(
      'ERR_MODEL_NOT_FOUND',
      `${what} does not exist at ${url}${said === undefined ? '' : ` (${said})`}`,
      facts,
      { remedy: 'Check the spelling.' },
    )
  }
  if (status === 401 || status === 403) {
    return new Qwen3Error('ERR_UNAUTHORIZED', `${url} refused access to ${what}`, facts, {
      remedy: remedy(),
    })
  }
  return new Qwen3Error('ERR_DOWNLOAD', `${url} answered ${status} for ${what}`, facts, {
    remedy: 'Try again later.',
  })

  function remedy(): string {
    if (new URL(answer.url).origin !== new URL(access.endpoint).origin) {
      return 'This is not the hub but a server it points to; open the address in a browser to see why'
    }
    if (reason === 'GatedRepo') {
      return `Its owner asks you to accept terms: do so on its page at ${access.endpoint}, then set HF_TOKEN`
    }
    if (access.token === undefined) {
      return 'If it is spelled correctly it is private or gated: set HF_TOKEN to a token that may read it'
    }
    return 'The token that was sent (HF_TOKEN, or the stored one) may have expired or may not read it'
  }
}

function retryAfter(headers: Headers): number | undefined {
  const value = headers.get('retry-after')
  if (value === null) return undefined
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}
