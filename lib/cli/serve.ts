import { basename } from 'node:path'
import {
  type AdapterOptions,
  Embedder,
  inspect,
  type LoadOptions,
  Reranker,
  type ResolvedModel,
} from '../index.ts'
import { Index } from '../search/index.ts'
import {
  type HandlerOptions,
  serve as listen,
  type ModelSource,
  type Opening,
  type ServeOptions,
} from '../server/index.ts'
import type { Arguments } from './arguments.ts'
import { type Command, remark, type Session } from './command.ts'
import { chosenIndex } from './index/which.ts'
import { heedSupervisor } from './interrupt.ts'
import { adaptersOf, findModel, isolationOf, load } from './load.ts'
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
    const words = wordsOf(args)
    const models: Models = {}
    const files = indexOf(args, models, session)
    try {
      await runUntilStopped({ ...settings, index: files?.open }, { words, models }, args, session)
    } finally {
      await files?.close()
      await Promise.all(Object.values(models).map((model) => 'close' in model && model.close()))
    }
    return true
  },
}

type Models = HandlerOptions['models']

/** A model as it is asked for, and the name that clients know it by. */
interface Word {
  readonly name: string
  readonly model: string | undefined
}

/** The index, to be opened with the models that are served, where they are those that it was made with. */
function indexOf(args: Arguments, models: Models, session: Session) {
  const name = args.text('index')
  if (name === undefined) {
    if (args.has('watch')) throw new Misuse('--watch keeps an index up to date: --index says which')
    return undefined
  }
  const stop = new AbortController()
  let index: Index | undefined
  let watching: Promise<void> | undefined
  const open = async () => {
    const { path } = await chosenIndex(name)
    const reranker = Object.values(models).find((model) => 'scoreEach' in model)
    index = await Index.open(path, { create: false, ...(reranker && { reranker }) })
    if (args.has('watch')) watching = watched(index, stop.signal, session)
    return index
  }
  const close = async () => {
    stop.abort()
    await watching
    await index?.close()
  }
  return { open, close }
}

async function watched(index: Index, signal: AbortSignal, session: Session): Promise<void> {
  try {
    for await (const { read, removed, failed } of index.watch({ signal }))
      remark(session, `index: ${read} files read, ${removed} taken out, ${failed} failed`)
  } catch (error) {
    remark(session, `index: ${(error as Error).message}; it is searched as it is`)
  }
}

async function runUntilStopped(
  settings: Omit<ServeOptions, 'models'>,
  { words, models }: { words: readonly Word[]; models: Models },
  args: Arguments,
  session: Session,
) {
  const patience = 1000 * (args.number('drain', 0) ?? 30)
  becomeService()
  const leave = heedSupervisor()
  const opener = (opening: Opening) => openModels(words, models, opening, args, session)
  const server = await listen({ ...settings, models: opener }).catch((error) => {
    throw portError(error, settings)
  })
  const time = () => new Date().toISOString()
  const names = words.map(({ name }) => name)
  if (!args.has('no-log')) log({ time: time(), listening: server.url, models: names })
  await server.ready
  if (!args.has('no-log')) log({ time: time(), ready: server.url })
  remark(session, `serving ${names.join(', ')} at ${server.url}`)
  // PM2's wait_ready.
  process.send?.('ready')
  const forget = reloadOnHangup(models, session)
  if (!session.signal.aborted) {
    await new Promise<void>((resolve) => {
      session.signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }
  forget()
  remark(session, 'stopping: requests that run may end')
  await server.close({ patience })
  leave()
}

/** A supervisor's way to say that files have changed. At a terminal the same signal ends everything. */
function reloadOnHangup(models: Models, session: Session): () => void {
  const reload = async () => {
    for (const [name, model] of Object.entries(models)) {
      if (!('reload' in model)) continue
      try {
        await model.reload()
        remark(session, `reloaded ${name}: ${model.info.fingerprint}`)
      } catch (error) {
        remark(session, `${name} stays as it was: ${(error as Error).message}`)
      }
    }
  }
  const onHangup = () => void reload()
  process.on('SIGHUP', onHangup)
  return () => process.off('SIGHUP', onHangup)
}

function portError(error: NodeJS.ErrnoException, { port = 8080, host = '127.0.0.1' }): Error {
  const why: Record<string, string> = {
    EADDRINUSE: `Something listens on ${host}:${port} already. Use --port with another one, or 0 for any`,
    EACCES: `This user may not listen on port ${port}. Use --port with one from 1024 on`,
    EADDRNOTAVAIL: `This machine has no address ${host}. Use --host with one that it has, or 0.0.0.0 for all`,
    ENOTFOUND: `There is no host ${host}. Use --host with an address of this machine`,
  }
  const sentence = why[error.code ?? '']
  return sentence === undefined ? error : new Error(sentence, { cause: error })
}

function log(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

function wordsOf(args: Arguments): Word[] {
  const given = [args.text('model'), ...args.positionals].filter((word) => word !== undefined)
  const words = (given.length > 0 ? given : [undefined]).map(named)
  for (const [i, { name }] of words.entries()) {
    if (words.findIndex((word) => word.name === name) === i) continue
    throw new Misuse(`Two models are named ${name}`)
  }
  return words
}

/** Into `models`, so that those that are open are known whatever happens to the next one. */
async function openModels(
  words: readonly Word[],
  models: Models,
  opening: Opening,
  args: Arguments,
  session: Session,
): Promise<Models> {
  const isLazy = args.text('keep-alive') !== undefined || args.text('memory') !== undefined
  for (const [i, { name, model }] of words.entries()) {
    opening.doing = `find ${name}`
    // --adapter is for the first model.
    const adapter = i === 0 ? adaptersOf(args) : []
    const source = await sourceOf(await findModel(model, session), args, session, adapter)
    opening.doing = `load ${name}`
    const one = isLazy ? source : await source.load()
    models[name] = one
    opening.doing = `warm ${name}`
    if ('warm' in one) await one.warm({ signal: session.signal })
    opening.opened++
  }
  return models
}

function named(word: string | undefined): Word {
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
  adapter: readonly AdapterOptions[],
): Promise<ModelSource> {
  const info = await inspect(found.bundled ? 'mini' : found.paths[0]!)
  const { head, pooling } = info
  const isSilent = pooling === null && head === 'yes-no'
  const ranks = pooling === 'rank' || head === 'cls' || (isSilent && /rerank/i.test(found.name))
  const more = {
    maxQueue: args.integer('max-queue', 1) ?? 16_384,
    budget: args.integer('budget', 16, 65_536),
    isolation: isolationOf(args),
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
    load: () => load<Embedder | Reranker>(loader, found, args, session, { adapter }),
  }
}
