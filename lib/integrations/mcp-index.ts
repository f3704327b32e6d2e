// Tools over an index, for agents: find passages, read on around one, see what there is to search.
import { fromJsonSchema, type McpServer } from '@modelcontextprotocol/server'
import type { Hit, Index, Kind } from '../search/index.ts'

/** An answer is read by a model: what is longer is cut, and says so. */
const longestAnswer = 8_000
const mostPassages = 20
const mostAround = 6_000

export function registerIndex(server: McpServer, index: Index): void {
  registerSearchFiles(server, index)
  registerReadPassage(server, index)
  registerSources(server, index)
}

interface SearchFiles {
  query: string
  in?: string[] | undefined
  types?: Kind[] | undefined
  since?: string | undefined
  top?: number | undefined
}

function registerSearchFiles(server: McpServer, index: Index): void {
  server.registerTool(
    'search_files',
    {
      title: 'Search the indexed files',
      description:
        'Find passages of the indexed documents and code, by words and by meaning. Ask in a whole sentence, or for a ' +
        'name in code. "A phrase" in quotes must occur, -word must not. Each result says its file, lines and heading; ' +
        'read_passage shows more around it. Use it before reading whole files.',
      inputSchema: fromJsonSchema<SearchFiles>({
        ...object,
        required: ['query'],
        properties: {
          query: { type: 'string', minLength: 1, description: 'The question, or a name' },
          in: { ...strings, description: 'Only files that match one of these globs: lib/**, *.md' },
          types: { ...strings, items: { enum: kinds }, description: 'Only these kinds of files' },
          since: { type: 'string', description: 'Only files of that day or later: 2026-01-31' },
          top: { type: 'integer', minimum: 1, maximum: mostPassages, description: 'Default: 8' },
        },
      }),
      annotations,
    },
    async ({ query, in: inside, types, since, top = 8 }, { mcpReq: { signal } }) => {
      const time = since === undefined ? undefined : Date.parse(since)
      if (Number.isNaN(time)) throw new Error('Expected a date such as 2026-01-31 for since')
      const options = { limit: top, in: inside, types, since: time, wait: false, signal }
      const { hits, weak, stale, coverage, remarks } = await index.search(query, options)
      const notes = [
        ...(hits.length === 0 ? ['Nothing matches. Try other words, or fewer filters.'] : []),
        ...(weak && hits.length > 0
          ? ['Nothing here matches well: these are only the nearest.']
          : []),
        ...(stale ? ['The index may be older than the files.'] : []),
        ...(coverage < 1
          ? [`${Math.floor(100 * coverage)}% of the passages are indexed by meaning so far.`]
          : []),
        ...remarks,
      ]
      return answer([...notes, ...hits.map(shown)])
    },
  )
}

function shown({ id, path, head, lines, page, text, score, also }: Hit, place: number): string {
  const where = page ? `${path}, page ${page}` : `${path}:${lines[0]}-${lines[1]}`
  const more = also ? `\nalso in ${also.join(', ')}` : ''
  return `[${place + 1}] ${where}  (id ${id}, score ${score.toFixed(2)})\n${head}\n${text.trim()}${more}`
}

function registerReadPassage(server: McpServer, index: Index): void {
  server.registerTool(
    'read_passage',
    {
      title: 'Read around a passage',
      description: 'Show a passage that search_files found, with the text before and after it.',
      inputSchema: fromJsonSchema<{ id: string; around?: number | undefined }>({
        ...object,
        required: ['id'],
        properties: {
          id: { type: 'string', minLength: 1, description: 'Of a result of search_files' },
          around: {
            type: 'integer',
            minimum: 0,
            maximum: mostAround,
            description: 'Characters on each side. Default: 1000',
          },
        },
      }),
      annotations,
    },
    async ({ id, around = 1_000 }) => {
      const { path, head, lines, page, text } = await index.passage(id, { around })
      const where = page ? `${path}, page ${page}` : `${path}:${lines[0]}-${lines[1]}`
      return answer([`${where}\n${head}`, text])
    },
  )
}

function registerSources(server: McpServer, index: Index): void {
  server.registerTool(
    'list_sources',
    {
      title: 'What can be searched',
      description:
        'The folders of the index, how many files of which kinds are in it, and how current it is.',
      inputSchema: fromJsonSchema<Record<string, never>>({ ...object, properties: {} }),
      annotations,
    },
    async () => {
      const { files, passages, kinds: by, roots, coverage, unreadFiles } = await index.status()
      const folders = roots.map(
        ({ path, files: n, walked }) =>
          `${path}: ${n} files, looked at ${walked === 0 ? 'never' : new Date(walked).toISOString()}`,
      )
      const counts = Object.entries(by).map(([kind, n]) => `${kind} ${n}`)
      return answer([
        `${files} files, ${passages} passages (${counts.join(', ')}); ${Math.floor(100 * coverage)}% by meaning; ${unreadFiles} files could not be read`,
        ...folders,
      ])
    },
  )
}

/** Whole parts while they fit. */
function answer(parts: readonly string[]) {
  let text = ''
  for (const [i, part] of parts.entries()) {
    const room = longestAnswer - text.length
    if (part.length + 2 > room) {
      const left = parts.length - i
      text += i === 0 || room > 400 ? `${part.slice(0, Math.max(0, room - 100))}…\n` : ''
      text += `(cut here: ${left} more or longer ${left === 1 ? 'part' : 'parts'}; ask for fewer, or read_passage)`
      break
    }
    text += `${part}\n\n`
  }
  return { content: [{ type: 'text' as const, text: text.trim() }] }
}

const kinds = ['markdown', 'text', 'code', 'html', 'pdf', 'word', 'table', 'data', 'mail']
const object = { type: 'object', additionalProperties: false } as const
const strings = { type: 'array', items: { type: 'string' }, maxItems: 100 } as const
const annotations = { readOnlyHint: true, openWorldHint: false }
