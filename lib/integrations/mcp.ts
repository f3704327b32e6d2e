import { fromJsonSchema, McpServer, type ServerContext } from '@modelcontextprotocol/server'
import { type StdioServerHandle, serveStdio } from '@modelcontextprotocol/server/stdio'
import { type Embedder, type LoadOptions, type OnProgress, Reranker, search } from '../index.ts'
import { version } from '../root.ts'
import type { Index } from '../search/index.ts'
import { KnownVectors } from './known-vectors.ts'
import { registerIndex } from './mcp-index.ts'
import { type Given, LazyModels, sharedEmbedders } from './model.ts'
import { passagesOf } from './passages.ts'

export interface McpOptions {
  /** @default 'mini' */
  embedder?: Given<Embedder> | undefined
  /** Without one there is no tool to rerank. */
  reranker?: Given<Reranker> | undefined
  /** The folder whose files may be read. Without one only texts can be searched. */
  root?: string | undefined
  /** Indexed files, with tools to search them. It stays yours. */
  index?: Index | undefined
  load?: LoadOptions | undefined
}

const sharedRerankers = new LazyModels<Reranker>(Reranker)

/** Serves one client over stdin and stdout until it leaves. Nothing else may write to stdout meanwhile. */
export function serveMcp(options: McpOptions = {}): StdioServerHandle {
  const { embedder = 'mini', reranker, load } = options
  // Begun now, so that the first call need not wait. A failure is told to whoever calls.
  const models = [sharedEmbedders.of(embedder, load)]
  const begun = reranker ? [...models, sharedRerankers.of(reranker, load)] : models
  for (const model of begun) model.get().catch(() => {})
  return serveStdio(() => createMcpServer(options))
}

/** The server alone, for a transport of yours. */
export function createMcpServer(options: McpOptions = {}): McpServer {
  const server = new McpServer({ name: 'qwen3-embed', version })
  registerSearch(server, options)
  if (options.index) registerIndex(server, options.index)
  if (options.reranker) registerRerank(server, options.reranker, options.load)
  return server
}

interface SearchCall {
  query: string
  texts?: string[] | undefined
  files?: string[] | undefined
  top?: number | undefined
  instruction?: string | undefined
}

function registerSearch(server: McpServer, { embedder = 'mini', root, load }: McpOptions): void {
  const known = new KnownVectors()
  const files = { ...strings, description: `Files or folders of text below ${root}` }
  const places = root ? 'texts given here, in files and in folders' : 'texts given here'
  server.registerTool(
    'search',
    {
      title: 'Search by meaning',
      description:
        `Find the passages nearest in meaning to a question, in ${places}. Use it where the words of the question ` +
        'may not be those of the answer. Scores are cosines.',
      inputSchema: fromJsonSchema<SearchCall>({
        ...object,
        required: ['query'],
        properties: { query, texts: strings, ...(root ? { files } : {}), top, instruction },
      }),
      outputSchema: results,
      annotations,
    },
    async ({ query, texts = [], files = [], top = 5, instruction }, context) => {
      const { signal } = context.mcpReq
      const model = await sharedEmbedders.of(embedder, load).get()
      const found = root ? await passagesOf(root, files, model, signal) : []
      const passages = [...texts.map((text, index) => ({ text, index, input: text })), ...found]
      if (passages.length === 0) throw new Error('Expected texts or files to look in')
      const inputs = passages.map(({ input }) => input)
      const control = { signal, truncate: 'end' as const }
      const [question, vectors] = await Promise.all([
        model.embedQuery(query, { ...control, instruction }),
        known.of(model, inputs, { ...control, onProgress: report(context) }),
      ])
      return answer(
        search(question, vectors, top).map(({ index, score }) => {
          const { input: _, ...passage } = passages[index]!
          return { score, ...passage }
        }),
      )
    },
  )
}

interface RerankCall {
  query: string
  documents: string[]
  top?: number | undefined
  instruction?: string | undefined
}

function registerRerank(server: McpServer, given: Given<Reranker>, load?: LoadOptions): void {
  server.registerTool(
    'rerank',
    {
      title: 'Rerank by relevance',
      description:
        'Order a few dozen documents by how well each answers a question, best first. Slower and more exact than ' +
        'search: run it on what search found. Scores are probabilities from 0 to 1.',
      inputSchema: fromJsonSchema<RerankCall>({
        ...object,
        required: ['query', 'documents'],
        properties: { query, documents: strings, top, instruction },
      }),
      outputSchema: results,
      annotations,
    },
    async ({ query, documents, top = documents.length, ...rest }, context) => {
      const model = await sharedRerankers.of(given, load).get()
      const { signal } = context.mcpReq
      const options = { ...rest, signal, truncate: 'end' as const, onProgress: report(context) }
      const ranked = (await model.rank(query, documents, options)).slice(0, top)
      return answer(ranked.map((one) => ({ ...one, text: documents[one.index]! })))
    },
  )
}

/** Clients wait longer for a call that says it is getting on. */
function report({ mcpReq }: ServerContext): OnProgress {
  const progressToken = mcpReq._meta?.progressToken
  if (progressToken === undefined) return () => {}
  return ({ done: progress, total }) => {
    const params = { progressToken, progress, total }
    mcpReq.notify({ method: 'notifications/progress', params }).catch(() => {})
  }
}

function answer(results: object[]) {
  const content = [{ type: 'text' as const, text: JSON.stringify(results, null, 1) }]
  return { content, structuredContent: { results } }
}

const object = { type: 'object', additionalProperties: false } as const
const query = { type: 'string', minLength: 1, description: 'The question, as a sentence' } as const
const strings = { type: 'array', items: { type: 'string' }, maxItems: 20_000 } as const
const top = { type: 'integer', minimum: 1, description: 'How many results at most' } as const
const instruction = {
  type: 'string',
  description: 'What the question is for, in English, where it is not a web search',
} as const
const results = fromJsonSchema<{ results: object[] }>({
  type: 'object',
  required: ['results'],
  properties: { results: { type: 'array', items: { type: 'object' } } },
})
const annotations = { readOnlyHint: true, openWorldHint: false }
