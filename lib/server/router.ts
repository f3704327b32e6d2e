// Which route a request means: as it is written, or as its base URL was probably meant.
import { nearest } from '../nearest.ts'
import type { Route } from './context.ts'

export interface Match {
  /** Of the method asked for, if the path has it. */
  readonly route: Route | undefined
  /** The path as documented. */
  readonly pattern: string
  /** What stands at the path's parameter, decoded. */
  readonly param: string
  /** Methods that the path has. */
  readonly methods: readonly string[]
}

interface Pattern {
  readonly pattern: string
  readonly expression: RegExp
  readonly routes: Map<string, Route>
}

export class Router {
  readonly routes: readonly Route[]
  readonly #exact = new Map<string, Pattern>()
  readonly #open: Pattern[] = []

  constructor(routes: readonly Route[]) {
    this.routes = routes
    for (const route of routes) {
      for (const path of route.paths) this.#add(path, route)
    }
  }

  match(method: string, path: string): Match | undefined {
    const wanted = method === 'HEAD' ? 'GET' : method
    for (const candidate of candidates(path)) {
      const found = this.#find(candidate)
      if (!found) continue
      const { pattern, routes, param } = found
      return { route: routes.get(wanted), pattern, param, methods: [...routes.keys()] }
    }
    return undefined
  }

  /** The path that was meant by one that does not exist. */
  nearest(path: string): string | undefined {
    const known = [...this.#exact.keys()].filter((one) => one.length > 2)
    return nearest(cleaned(path), known)
  }

  #add(path: string, route: Route): void {
    const known = path.includes('{')
      ? this.#open.find(({ pattern }) => pattern === path)
      : this.#exact.get(path)
    const entry = known ?? { pattern: path, expression: expressionOf(path), routes: new Map() }
    entry.routes.set(route.method, route)
    if (known) return
    if (path.includes('{')) this.#open.push(entry)
    else this.#exact.set(path, entry)
  }

  #find(path: string): (Pattern & { param: string }) | undefined {
    const exact = this.#exact.get(path)
    if (exact) return { ...exact, param: '' }
    for (const entry of this.#open) {
      const param = entry.expression.exec(path)?.[1]
      const text = param === undefined ? undefined : decoded(param)
      if (text !== undefined) return { ...entry, param: text }
    }
    return undefined
  }
}

/** A parameter in the middle is one part of a path; at the end it is all that is left. */
function expressionOf(path: string): RegExp {
  const [before, after] = path.split(/\{\w+\}/) as [string, string | undefined]
  const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${literal(before)}${after ? '([^/]+)' : '(.+)'}${literal(after ?? '')}$`)
}

/** The path itself, then with its version taken away, then with one in front: what people type as a base URL. */
function* candidates(path: string): Generator<string> {
  yield path
  const clean = cleaned(path)
  yield clean
  // A client puts /v1/embeddings behind a base that has /v1 already, or behind somebody's /api.
  const shorter = clean.replace(/^\/(?:v1|v2|api|openai)(?=\/)/, '')
  if (shorter !== clean) yield shorter
  if (!/^\/v\d/.test(clean)) yield `/v1${clean}`
}

function cleaned(path: string): string {
  const single = path.replace(/\/{2,}/g, '/')
  return single.length > 1 ? single.replace(/\/$/, '') : single
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
