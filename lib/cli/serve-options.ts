// What `serve` may be told, and what the server is told by it.
import { readFile } from 'node:fs/promises'
import { durationOf, type HandlerOptions, isOpenTo, type ServeOptions } from '../server/index.ts'
import type { Arguments, Options } from './arguments.ts'
import { isolationOption, loadOptions } from './load.ts'
import { Misuse } from './misuse.ts'

export const serveOptions: Options = {
  port: { value: 'N', short: 'p', help: 'default: PORT, else 8080; 0 for any free one' },
  host: { value: 'ADDRESS', help: 'default: HOST, else 127.0.0.1; others need an API key' },
  'base-path': { value: 'PATH', help: 'everything is under it, as in /ai' },
  'allowed-hosts': {
    value: 'NAMES',
    help: 'host names that it answers to, with commas between; default without a key: this machine',
  },
  'api-key-file': {
    value: 'FILE',
    help: 'keys, one a line; QWEN3_EMBED_API_KEY holds one too. Clients send Authorization: Bearer KEY',
  },
  'without-key': { help: 'let everybody in, whatever the address and the host name' },
  'allow-token-ids': { help: "take token ids on OpenAI's route, where they are this model's own" },
  cors: { value: 'ORIGINS', help: 'web pages that may call it, with commas between, or *' },
  prompts: { value: 'FILE', help: 'JSON of instructions by name, for prompt_name and input_type' },
  'auto-truncate': { help: 'cut texts that are too long, unless the request says otherwise' },
  'keep-alive': {
    value: 'TIME',
    help: 'load models at their first request, and unload them when nobody asked for so long: 10m, 1h',
  },
  memory: {
    value: 'BYTES',
    help: 'load models at their first request, at most so many bytes of them (8GB); the one used longest ago goes',
  },
  isolation: isolationOption,
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
  index: {
    value: 'NAME',
    help: 'search these files too, at /v1/search and on the page: an index that qwen3-embed index made',
  },
  watch: { help: 'keep the index up to date' },
  'no-page': { help: 'no page at /' },
  'no-log': { help: 'no line for each request' },
  ...loadOptions,
}

export async function readSettings(
  args: Arguments,
  log: (line: object) => void,
): Promise<Omit<ServeOptions, 'models'>> {
  const deadline = args.number('deadline', 0.001)
  const limits: HandlerOptions['limits'] = {
    batch: args.integer('max-batch', 1),
    requestTokens: args.integer('max-request-tokens', 1),
    bodyBytes: args.integer('max-body', 1),
    requests: args.integer('max-requests', 1),
    deadline: deadline === undefined ? undefined : Math.ceil(deadline * 1000),
  }
  const host = args.text('host') ?? (process.env.HOST || '127.0.0.1')
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
    corsOrigins: cors === '*' ? '*' : cors?.split(',').map(originOf),
    prompts: prompts === undefined ? undefined : await readPrompts(prompts),
    port: args.integer('port', 0, 65_535) ?? portOfEnvironment(),
    basePath: basePathOf(args),
    hosts: args
      .text('allowed-hosts')
      ?.split(',')
      .map((name) => name.trim()),
    tokenIds: args.has('allow-token-ids'),
    keepAlive: keepAliveOf(args),
    memory: memoryOf(args),
  }
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

function portOfEnvironment(): number | undefined {
  const given = process.env.PORT
  if (!given) return undefined
  if (/^\d+$/.test(given) && Number(given) <= 65_535) return Number(given)
  throw new Misuse(`PORT takes a number from 0 to 65535, not ${JSON.stringify(given)}`)
}

function basePathOf(args: Arguments): string | undefined {
  const given = args.text('base-path')
  return given === undefined ? undefined : `/${given.replace(/^\/+|\/+$/g, '')}`.replace(/^\/$/, '')
}

function keepAliveOf(args: Arguments): number | undefined {
  const given = args.text('keep-alive')
  if (given === undefined) return undefined
  const milliseconds = durationOf(given)
  if (milliseconds !== undefined) return milliseconds
  throw new Misuse(`--keep-alive takes a time such as 10m, 1h or 90s, not ${JSON.stringify(given)}`)
}

const byteUnits = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 } as const

function memoryOf(args: Arguments): number | undefined {
  const given = args.text('memory')
  if (given === undefined) return undefined
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$/i.exec(given) ?? []
  if (amount === undefined)
    throw new Misuse(`--memory takes bytes such as 8GB, not ${JSON.stringify(given)}`)
  return Math.round(Number(amount) * byteUnits[unit!.toLowerCase() as keyof typeof byteUnits])
}

/** As a browser writes it: people paste addresses. */
function originOf(given: string): string {
  try {
    const { origin } = new URL(given.trim())
    if (origin !== 'null') return origin
  } catch {
    // Told below.
  }
  throw new Misuse(`--cors takes origins such as https://app.example, not ${JSON.stringify(given)}`)
}
