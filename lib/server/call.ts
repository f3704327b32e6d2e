// What a route gets, and what it is.
import type { Desk } from './desk.ts'
import type { Dialect } from './dialects.ts'
import type { Answer } from './exchange.ts'
import type { Fields } from './fields.ts'
import type { Settings } from './options.ts'
import type { ServedModels } from './served.ts'
import type { Tally } from './visit.ts'

export interface Call {
  readonly desk: Desk
  readonly models: ServedModels
  readonly settings: Settings
  readonly tally: Tally
  /** What stands behind a path that ends in `/*`, decoded. */
  readonly rest: string
  readonly search: URLSearchParams
  /** How errors are said; a route that two APIs share sets it when the body has told them apart. */
  dialect: Dialect
}

export interface Route {
  readonly method: 'GET' | 'POST'
  /** Other paths that do the same. */
  readonly paths: readonly [string, ...string[]]
  readonly dialect: Dialect
  readonly summary: string
  /** Of a good answer. @default 'application/json' */
  readonly media?: string
  /** Needs no key. */
  readonly isOpen?: boolean
  run(call: Call, fields: Fields): Answer | Promise<Answer>
}
