import { createHash, timingSafeEqual } from 'node:crypto'
import type { Incoming } from './exchange.ts'
import { Refusal } from './refusal.ts'

/** API keys, kept as digests: of one length, so that comparing takes one time. */
export class Keys {
  readonly #digests: readonly Buffer[]

  constructor(keys: readonly string[]) {
    this.#digests = keys.map(digest)
  }

  /** Throws unless the request carries one of the keys, or there is none to carry. */
  check(incoming: Incoming): void {
    if (this.#digests.length === 0) return
    const given =
      /^Bearer\s+(.+)$/i.exec(incoming.header('authorization') ?? '')?.[1] ??
      incoming.header('x-api-key')
    if (given && this.#holds(given.trim())) return
    throw new Refusal(
      'unauthorized',
      given
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
