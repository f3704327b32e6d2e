import cluster from 'node:cluster'
import { createServer } from 'node:net'
import { basename } from 'node:path'
import { Embedder, inspect, type LoadOptions, Reranker, type ResolvedModel } from '../index.ts'
import { Index } from '../search/index.ts'
import { serve as listen, type ModelSource, type ServeOptions } from '../server/index.ts'
import type { Arguments } from './arguments.ts'
import { type Command, remark, type Session } from './command.ts'
import { chosenIndex } from './index/which.ts'
import { heedSupervisor } from './interrupt.ts'
import { findModel, load } from './load.ts'
import { Misuse } from './misuse.ts'
import { becomeService } from './print.ts'
import { readSettings, serveOptions } from './serve-options.ts'

export const serve: Command = {
  name: 'serve',
  summary:
    "serve models over HTTP to OpenAI's, Cohere's, Jina's, TEI's, Ollama's and others' clients",
  usage: ['[OPTIONS] [[NAME=]MODEL…]'],
  about: [
    'Embedders and rerankers, each under the name that clients ask for; without one, the bundled model. Requests of all ' +
      'clients share passes, and small ones go before large ones.',
    'One JSON line a request goes to stdout: what was asked for, never a text. Ctrl-C or SIGTERM lets running requests ' +
      'end; a second one stops at once. There is no TLS: a proxy does that.',
  ],
  options: serveOptions,
  examples: [
    ['qwen3-embed serve', 'the bundled model, and a page at http://127.0.0.1:8080'],
    [
      'qwen3-embed serve qwen3-embedding-0.6b qwen3-reranker-0.6b --port 9000',
      'an embedder and a reranker',
    ],
    [
      'qwen3-embed serve text-embedding-3-small=qwen3-embedding-0.6b',
      'under a name that a program already asks for',
    ],
    ['qwen3-embed serve --index default --watch', 'your files too, on the page and at /v1/search'],
    ['qwen3-embed serve --host 0.0.0.0 --api-key-file keys.txt', 'for other machines'],
    ['qwen3-embed serve -m mini qwen3-reranker-0.6b --keep-alive 10m --memory 4GB', 'on demand'],
  ],

  async run(args, session) {
    const settings = await readSettings(args, log)
    // Now, and not after minutes of loading.
    await tryPort(settings)
    const models = await openModels(args, session)
    const files = await openIndex(args, models, session)
    try {
      await runUntilStopped({ ...settings, models, index: files?.index }, args, session)
    } finally {
      await files?.close()
      await Promise.all(Object.values(models).map((model) => 'close' in model && model.close()))
    }
    return true
  },
}

type Models = ServeOptions['models']

/** The index with the models that are served, where they are those that it was made with. */
async function openIndex(args: Arguments, models: Models, session: Session) {
  const name = args.text('index')
  if (name === undefined) {
    if (args.has('watch')) throw new Misuse('--watch keeps an index up to date: --index says which')
    return undefined
  }
  const { path } = await chosenIndex(name)
  const reranker = Object.values(models).find((model) => 'scoreEach' in model)
  const index = await Index.open(path, { create: false, ...(reranker && { reranker }) })
  const stop = new AbortController()
  const watching = args.has('watch') ? watched(index, stop.signal, session) : Promise.resolve()
  const close = async () => {
    stop.abort()
    await watching
    await index.close()
  }
  return { index, close }
}

async function watched(index: Index, signal: AbortSignal, session: Session): Promise<void> {
  try {
    for await (const { read, removed, failed } of index.watch({ signal }))
      remark(session, `index: ${read} files read, ${removed} taken out, ${failed} failed`)
  } catch (error) {
    remark(session, `index: ${(error as Error).message}; it is searched as it is`)
  }
}

async function runUntilStopped(options: ServeOptions, args: Arguments, session: Session) {
  const patience = 1000 * (args.number('drain', 0) ?? 30)
  becomeService()
  const leave = heedSupervisor()
  const server = await listen(options)
  if (!args.has('no-log')) {
    const models = Object.keys(options.models)
    log({ time: new Date().toISOString(), listening: server.url, models })
  }
  remark(session, `serving ${Object.keys(options.models).join(', ')} at ${server.url}`)
  // PM2's wait_ready.
  process.send?.('ready')
  if (!session.signal.aborted) {
    await new Promise<void>((resolve) => {
      session.signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }
  remark(session, 'stopping: requests that run may end')
  await server.close({ patience })
  leave()
}

async function tryPort({ port = 8080, host = '127.0.0.1' }: Partial<ServeOptions>): Promise<void> {
  // In a cluster the primary holds the port for all.
  if (port === 0 || cluster.isWorker) return
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(portError(error, host, port)))
    server.listen(port, host, () => server.close(() => resolve()))
  })
}

function portError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const why: Record<string, string> = {
    EADDRINUSE: `Something listens on ${host}:${port} already. Use --port with another one, or 0 for any`,
    EACCES: `This user may not listen on port ${port}. Use --port with one from 1024 on`,
    EADDRNOTAVAIL: `This machine has no address ${host}. Use --host with one that it has, or 0.0.0.0 for all`,
    ENOTFOUND: `There is no host ${host}. Use --host with an address of this machine`,
  }
  return new Error(why[error.code ?? ''] ?? error.message, { cause: error })
}

function log(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

async function openModels(args: Arguments, session: Session): Promise<Models> {
  const isLazy = args.text('keep-alive') !== undefined || args.text('memory') !== undefined
  const models: Models = {}
  const words = [args.text('model'), ...args.positionals].filter((word) => word !== undefined)
  try {
    for (const word of words.length > 0 ? words : [undefined]) {
      const { name, model } = named(word)
      if (Object.hasOwn(models, name)) throw new Misuse(`Two models are named ${name}`)
      const source = await sourceOf(await findModel(model, session), args, session)
      models[name] = isLazy ? source : await source.load()
    }
  } catch (error) {
    await Promise.all(Object.values(models).map((model) => 'close' in model && model.close()))
    throw error
  }
  return models
}

function named(word: string | undefined): { name: string; model: string | undefined } {
  if (word === undefined) return { name: 'mini', model: undefined }
  const [, name, model] = /^([\w.:/@-]+)=(.+)$/.exec(word) ?? []
  if (name !== undefined) return { name, model }
  return { name: /\.gguf$/i.test(word) ? basename(word).slice(0, -5) : word, model: word }
}

/** A reranker where the file says so. Some converted in 2025 say nothing: then its name decides. */
async function sourceOf(
  found: ResolvedModel,
  args: Arguments,
  session: Session,
): Promise<ModelSource> {
  const info = await inspect(found.bundled ? 'mini' : found.paths[0]!)
  const { head, pooling } = info
  const isSilent = pooling === null && head === 'yes-no'
  const ranks = pooling === 'rank' || head === 'cls' || (isSilent && /rerank/i.test(found.name))
  const more = {
    maxQueue: args.integer('max-queue', 1) ?? 16_384,
    budget: args.integer('budget', 16, 65_536),
  }
  const kind: { load(name: string, options: LoadOptions): Promise<Embedder | Reranker> } = ranks
    ? Reranker
    : Embedder
  const loader = {
    load: (name: string, options: LoadOptions) => kind.load(name, { ...options, ...more }),
  }
  return {
    kind: ranks ? 'reranking' : 'embedding',
    info,
    load: () => load<Embedder | Reranker>(loader, found, args, session),
  }
}
