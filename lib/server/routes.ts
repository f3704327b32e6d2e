import type { Route } from './context.ts'
import { azureRoutes } from './dialects/azure.ts'
import { cohereEmbedRoutes } from './dialects/cohere-embed.ts'
import { cohereTokenRoutes } from './dialects/cohere-tokens.ts'
import { nimRoutes } from './dialects/nim.ts'
import { ollamaRoutes } from './dialects/ollama.ts'
import { openaiRoutes } from './dialects/openai.ts'
import { rerankRoutes } from './dialects/rerank.ts'
import { teiEmbedRoutes } from './dialects/tei-embed.ts'
import { teiTokenRoutes } from './dialects/tei-tokens.ts'
import { vllmRoutes } from './dialects/vllm.ts'
import { fileRoutes } from './files.ts'
import { operationRoutes } from './operations.ts'

export function routesOf(hasPage: boolean, hasIndex = false): Route[] {
  return [
    ...openaiRoutes,
    ...azureRoutes,
    ...cohereEmbedRoutes,
    ...cohereTokenRoutes,
    ...rerankRoutes,
    ...vllmRoutes,
    ...nimRoutes,
    ...teiEmbedRoutes,
    ...teiTokenRoutes,
    ...ollamaRoutes,
    ...(hasIndex ? fileRoutes : []),
    ...operationRoutes(hasPage),
  ]
}
