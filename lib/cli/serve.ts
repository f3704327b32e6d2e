import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { Embedder, inspect, type LoadOptions, Reranker, type ResolvedModel } from '../index.ts'
import {
  type HandlerOptions,
  isOpenTo,
  serve as listen,
  type ServeOptions,
} from '../server/index.ts'
import type { Arguments, Options } from './arguments.ts'
import { type Command, remark, type Session } from './command.ts'
import { findModel, load, loadOptions } from './load.ts'
import { Misuse } from './misuse.ts'

const options: Options = {
  port: { value: 'N', short: 'p', help: 'default: 8080; 0 for any free one' },
  host: { value: 'ADDRESS', help: 'default: 127.0.0.1; others need an API key' },
  'api-key-file': {
    value: 'FILE',
    help: 'keys, one a line; QWEN3_EMBED_API_KEY holds one too. Clients send Authorization: Bearer KEY',
  },
  'without-key': { help: 'let everybody in, whatever the address' },
  cors: { value: 'ORIGINS', help: 'web pages that may call it, with commas between, or *' },
  prompts: { value: 'FILE', help: 'JSON of instructions by name, for prompt_name and input_type' },
  'auto-truncate': { help: 'cut texts that are too long, unless the request says otherwise' },
  'max-queue': {
    value: 'N',
    help: 'texts that may wait for each model; more get 429. Default: 16384',
  },
  budget: {
    value: 'N',
    help: 'tokens of one pass; on a GPU, with fewer, queries wait less for large jobs. Default: 1024',
  },
  'max-batch': { value: 'N', help: 'texts of one request; default: 2048' },
  'max-request-tokens': { value: 'N', help: 'tokens of one request; default: 1000000' },
  'max-body': { value: 'BYTES', help: 'body of one request; default: 8388608' },
  'max-requests': { value: 'N', help: 'requests at one time; more get 429. Default: 512' },
  deadline: { value: 'SECONDS', help: 'longest time for one request; default: 600' },
  drain: {
    value: 'SECONDS',
    help: 'time that requests get to end when it is stopped; default: 30',
  },
  trace: { help: 'spans through @opentelemetry/api, if it is installed and set up' },
  'no-page': { help: 'no page at /' },
  'no-log': { help: 'no line for each request' },
  ...loadOptions,
}

export const serve: Command = {
  name: 'serve',
  summary: "serve models over HTTP to OpenAI's, Cohere's, Jina's and TEI's clients",
  usage: ['[OPTIONS] [[NAME=]MODEL…]'],
  about: [
    'Embedders and rerankers, each under the name that clients ask for; without one, the bundled model. Requests of all ' +
      'clients share passes, and small ones go before large ones.',
    'One JSON line a request goes to stdout: what was asked for, never a text. Ctrl-C or SIGTERM lets running requests ' +
      'end; a second one stops at once. There is no TLS: a proxy does that.',
  ],
  options,
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
    ['qwen3-embed serve --host 0.0.0.0 --api-key-file keys.txt', 'for other machines'],
  ],

  async run(args, session) {
    const settings = await readSettings(args)
    const models = await loadModels(args, session)
    try {
      await runUntilStopped({ ...settings, models }, args, session)
    } finally {
      await Promise.all(Object.values(models).map((model) => model.close()))
    }
    return true
  },
}

async function runUntilStopped(options: ServeOptions, args: Arguments, session: Session) {
  const patience = 1000 * (args.number('drain', 0) ?? 30)
  const server = await listen(options)
  if (!args.has('no-log')) {
    const models = Object.keys(options.models)
    log({ time: new Date().toISOString(), listening: server.url, models })
  }
  remark(session, `serving ${Object.keys(options.models).join(', ')} at ${server.url}`)
  if (!session.signal.aborted) {
    await new Promise<void>((resolve) => {
      session.signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }
  remark(session, 'stopping: requests that run may end')
  await server.close({ patience })
}

async function readSettings(args: Arguments): Promise<Omit<ServeOptions, 'models'>> {
  const deadline = args.number('deadline', 0.001)
  const limits: HandlerOptions['limits'] = {
    batch: args.integer('max-batch', 1),
    requestTokens: args.integer('max-request-tokens', 1),
    bodyBytes: args.integer('max-body', 1),
    requests: args.integer('max-requests', 1),
    deadline: deadline === undefined ? undefined : Math.ceil(deadline * 1000),
  }
  const host = args.text('host') ?? '127.0.0.1'
  const keys = await readKeys(args.text('api-key-file'))
  if (isOpenTo(host) && keys.length === 0 && !args.has('without-key')) {
    throw new Misuse(
      `Others can reach this server at ${host}: expected --api-key-file or QWEN3_EMBED_API_KEY, or --without-key to let everybody in`,
    )
  }
  const cors = args.text('cors')
  const prompts = args.text('prompts')
  return {
    host,
    keys,
    limits,
    withoutKey: args.has('without-key'),
    autoTruncate: args.has('auto-truncate'),
    page: !args.has('no-page'),
    tracing: args.has('trace'),
    log: args.has('no-log') ? undefined : log,
    corsOrigins: cors === '*' ? '*' : cors?.split(','),
    prompts: prompts === undefined ? undefined : await readPrompts(prompts),
    port: args.integer('port', 0, 65_535),
  }
}

function log(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

async function readKeys(file: string | undefined): Promise<string[]> {
  const text = file === undefined ? '' : await readFile(file, 'utf8')
  const lines = text.split('\n').map((line) => line.trim())
  const keys = [...lines, process.env.QWEN3_EMBED_API_KEY ?? ''].filter((key) => key !== '')
  if (file !== undefined && keys.length === 0) throw new Misuse(`There is no key in ${file}`)
  return keys
}

async function readPrompts(file: string): Promise<Record<string, string>> {
  const prompts: unknown = JSON.parse(await readFile(file, 'utf8'))
  const isMap = typeof prompts === 'object' && prompts !== null && !Array.isArray(prompts)
  if (isMap && Object.values(prompts).every((prompt) => typeof prompt === 'string')) {
    return prompts as Record<string, string>
  }
  throw new Misuse(`Expected an object of strings in ${file}`)
}

async function loadModels(args: Arguments, session: Session) {
  const models: Record<string, Embedder | Reranker> = {}
  try {
    const words = [args.text('model'), ...args.positionals].filter((word) => word !== undefined)
    for (const word of words.length > 0 ? words : [undefined]) {
      const { name, model } = named(word)
      if (Object.hasOwn(models, name)) throw new Misuse(`Two models are named ${name}`)
      models[name] = await loadEither(await findModel(model, session), args, session)
    }
  } catch (error) {
    await Promise.all(Object.values(models).map((model) => model.close()))
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
async function loadEither(found: ResolvedModel, args: Arguments, session: Session) {
  const { head, pooling } = await inspect(found.bundled ? 'mini' : found.paths[0]!)
  const isSilent = pooling === null && head === 'yes-no'
  const ranks = pooling === 'rank' || head === 'cls' || (isSilent && /rerank/i.test(found.name))
  const more = {
    maxQueue: args.integer('max-queue', 1) ?? 16_384,
    budget: args.integer('budget', 16, 65_536),
  }
  const kind: { load(name: string, options: LoadOptions): Promise<Embedder | Reranker> } = ranks
    ? Reranker
    : Embedder
  return load<Embedder | Reranker>(
    { load: (name, options) => kind.load(name, { ...options, ...more }) },
    found,
    args,
    session,
  )
}
