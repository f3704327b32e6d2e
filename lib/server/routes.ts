import type { Route } from './call.ts'
import { cohereEmbedRoutes } from './cohere-embed.ts'
import { openaiRoutes } from './openai.ts'
import { rerankRoutes } from './rerank.ts'
import { serviceRoutes } from './service.ts'
import { teiEmbedRoutes } from './tei-embed.ts'
import { teiTokenRoutes } from './tei-tokens.ts'

export const routes: readonly Route[] = [
  ...openaiRoutes,
  ...cohereEmbedRoutes,
  ...rerankRoutes,
  ...teiEmbedRoutes,
  ...teiTokenRoutes,
  ...serviceRoutes,
]

export interface Found {
  /** Of the method asked for, if the path has it. */
  readonly route: Route | undefined
  /** The path as documented. */
  readonly pattern: string
  /** What stands behind a path that ends in `/*`. */
  readonly rest: string
  /** Methods that the path has. */
  readonly methods: readonly string[]
}

const exact = new Map<string, Map<string, Route>>()
const open: { start: string; pattern: string; routes: Map<string, Route> }[] = []
for (const route of routes) {
  for (const path of route.paths) {
    const known = exact.get(path) ?? new Map<string, Route>()
    known.set(route.method, route)
    exact.set(path, known)
    if (path.endsWith('/*')) {
      open.push({ start: path.slice(0, -1), pattern: path, routes: known })
    }
  }
}

export function findRoute(method: string, path: string): Found | undefined {
  const wanted = method === 'HEAD' ? 'GET' : method
  const known = path.endsWith('/*') ? undefined : exact.get(path)
  if (known) {
    return { route: known.get(wanted), pattern: path, rest: '', methods: [...known.keys()] }
  }
  const under = open.find(({ start }) => path.startsWith(start) && path.length > start.length)
  if (!under) return undefined
  const { routes, pattern, start } = under
  const rest = decoded(path.slice(start.length))
  if (rest === undefined) return undefined
  return { route: routes.get(wanted), pattern, rest, methods: [...routes.keys()] }
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
