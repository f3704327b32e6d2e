import { finished } from 'node:stream/promises'
import { Index } from '../search/index.ts'
import { type Command, remark } from './command.ts'
import { chosenIndex } from './index/which.ts'
import { isolationOf, isolationOption, loadEmbedder, loadOptions, loadReranker } from './load.ts'
import { Misuse } from './misuse.ts'

const peer = '@modelcontextprotocol/server'

export const mcp: Command = {
  name: 'mcp',
  summary: 'serve search and rerank tools to an agent (Model Context Protocol over stdio)',
  usage: ['[--model NAME] [--reranker NAME] [--root FOLDER] [--index NAME]'],
  about: [
    'For the settings of an agent, not for a terminal: it speaks the protocol on stdin and stdout until the agent ' +
      `leaves. It needs the package ${peer} beside this one.`,
    'With --index the agent searches what was indexed, reads around what it found, and is told what there is; the index is ' +
      'kept up to date meanwhile.',
    'Without --root the agent can search only texts that it gives; with it also files below that folder. Fetch models ' +
      'before (qwen3-embed pull NAME): an agent will not wait for a download.',
  ],
  options: {
    reranker: { value: 'NAME', help: 'a reranker; without one there is no rerank tool' },
    index: { value: 'NAME', help: 'an index that qwen3-embed index made, with tools to search it' },
    root: { value: 'FOLDER', help: 'the folder whose files may be read' },
    isolation: isolationOption,
    ...loadOptions,
  },
  examples: [
    ['qwen3-embed mcp --index default', 'your indexed files'],
    ['qwen3-embed mcp --root .', 'search here, with the bundled model'],
    ['qwen3-embed mcp -m qwen3-embedding-0.6b --reranker qwen3-reranker-0.6b', 'the real ones'],
  ],

  async run(args, session) {
    if (args.positionals.length > 0) {
      throw new Misuse(`Expected options only but received ${args.positionals[0]}`)
    }
    const { serveMcp } = await import('../integrations/mcp.ts').catch((error) => {
      if (!String(error.message).includes(peer)) throw error
      throw new Error(`This needs the package ${peer}. Run: npm install ${peer}`, { cause: error })
    })
    const [root, rerankerName] = [args.text('root'), args.text('reranker')]
    const apart = { isolation: isolationOf(args) }
    const embedder = await loadEmbedder(args, session, args.text('model'), apart)
    const reranker = rerankerName
      ? await loadReranker(args, session, rerankerName, apart)
      : undefined
    remark(session, 'qwen3-embed: speaking MCP on stdin and stdout')
    const left = finished(process.stdin, { writable: false, signal: session.signal })
    const optional = { ...(reranker ? { reranker } : {}), ...(root ? { root } : {}) }
    const index = await openIndex(args.text('index'))
    const stop = new AbortController()
    const watching = index ? watched(index, stop.signal) : Promise.resolve()
    const handle = serveMcp({ embedder, ...optional, ...(index && { index }) })
    await left
    await handle.close()
    stop.abort()
    await watching
    await Promise.all([index?.close(), embedder.close(), reranker?.close()])
    return true
  },
}

async function openIndex(name: string | undefined): Promise<Index | undefined> {
  if (name === undefined) return undefined
  return Index.open((await chosenIndex(name)).path, { create: false })
}

/** Quietly: whoever asks is told how old it is. */
async function watched(index: Index, signal: AbortSignal): Promise<void> {
  try {
    for await (const _ of index.watch({ signal }));
  } catch {
    // Its folder may be read-only.
  }
}
