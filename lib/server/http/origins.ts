// Which web pages may talk to this server.
import type { Settings } from '../options.ts'
import { RequestError } from '../request-error.ts'
import type { HttpRequest, HttpResponse } from './messages.ts'

/**
 * A page of another site can give its own name the address of this machine, and its visitors' browsers then take the
 * server for part of that site. The name they ask for gives it away.
 */
export function checkHost(request: HttpRequest, { hosts }: Settings): void {
  if (hosts === null) return
  const host = request.header('host') ?? ''
  const name = host.replace(/:\d+$/, '').toLowerCase()
  if (hosts.includes(name)) return
  throw new RequestError(
    'forbidden',
    `This server does not answer for the host ${JSON.stringify(name.slice(0, 100))}. Ask for ${hosts.join(' or ')}, or start it with --allowed-hosts ${name.slice(0, 100)} or with a key.`,
  )
}

/** The headers that let the page behind a request read the answer; none unless its origin was named. */
export function corsHeaders(request: HttpRequest, settings: Settings): Record<string, string> {
  const origin = request.header('origin')
  const { corsOrigins } = settings
  if (origin === null || corsOrigins.length === 0) return {}
  if (corsOrigins === '*') return { 'access-control-allow-origin': '*', ...exposed }
  if (!corsOrigins.includes(origin)) return { vary: 'origin' }
  return { 'access-control-allow-origin': origin, vary: 'origin', ...exposed }
}

const exposed = {
  'access-control-expose-headers': 'x-request-id, x-truncated-tokens, retry-after',
}

/** The answer to what a browser asks before it sends JSON to another origin. */
export function preflight(request: HttpRequest, allow: string): HttpResponse {
  const asked = request.header('access-control-request-headers')
  return {
    status: 204,
    headers: {
      allow,
      'access-control-allow-methods': allow,
      ...(asked ? { 'access-control-allow-headers': asked } : {}),
      'access-control-max-age': '600',
    },
    body: '',
  }
}
