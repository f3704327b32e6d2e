import { createHash, timingSafeEqual } from 'node:crypto'
import { RequestError } from '../request-error.ts'
import type { HttpRequest } from './messages.ts'

/** API keys, kept as digests: of one length, so that comparing takes one time. */
export class Keys {
  readonly #digests: readonly Buffer[]

  constructor(keys: readonly string[]) {
    this.#digests = keys.map(digest)
  }

  /** Throws unless one of the credentials of a request is one of the keys, or there is none to carry. */
  check(request: HttpRequest): void {
    if (this.#digests.length === 0) return
    const given = credentialsOf(request)
    if (given.some((key) => this.#holds(key))) return
    throw new RequestError(
      'unauthorized',
      given.length > 0
        ? 'The API key is not one of this server.'
        : 'Expected the header Authorization: Bearer KEY, with an API key of this server',
      { headers: { 'www-authenticate': 'Bearer' } },
    )
  }

  // Every key is compared, whichever fits.
  #holds(key: string): boolean {
    const wanted = digest(key)
    return this.#digests.map((one) => timingSafeEqual(one, wanted)).includes(true)
  }
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}

/** Some clients always send a bearer of their own; a right key in another header counts all the same. */
function credentialsOf(request: HttpRequest): string[] {
  const bearer = /^Bearer\s+(.+)$/i.exec(request.header('authorization') ?? '')?.[1]
  const given = [bearer, request.header('x-api-key'), request.header('api-key')]
  return given.flatMap((key) => (key?.trim() ? [key.trim()] : []))
}
