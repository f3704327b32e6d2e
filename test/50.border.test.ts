import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { llamaRelease } from '../lib/gpu.ts'
import { native } from '../lib/native.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

// Who may import what (CONTRIBUTING.md holds the same table). `dependencies` names packages beside Node's own.
const rooms: { room: RegExp; may: RegExp; dependencies?: RegExp }[] = [
  {
    room: /^lib\/(prompts|asar|root|gguf-type|nearest|npy|progress|chunk-headings)\.ts$/,
    may: /^$/,
  },
  { room: /^lib\/chunk-blocks\.ts$/, may: /^lib\/chunk-headings\.ts$/ },
  { room: /^lib\/thread\//, may: /^lib\/thread\/|^lib\/errors\.ts$/ },
  { room: /^lib\/errors\.ts$/, may: /^lib\/nearest\.ts$/ },
  { room: /^lib\/families\.ts$/, may: /^lib\/(options|prompts)\.ts$/ },
  { room: /^lib\/chunk\.ts$/, may: /^lib\/(chunk-blocks|errors)\.ts$/ },
  { room: /^lib\/encodings\.ts$/, may: /^lib\/(errors|options)\.ts$/ },
  {
    room: /^lib\/options\.ts$/,
    may: /^lib\/(errors|families|pool|progress)\.ts$|^lib\/models\/(places|retry)\.ts$/,
  },
  { room: /^lib\/libc\.ts$/, may: /^$/ },
  { room: /^lib\/binding\.ts$/, may: /^lib\/(asar|errors|libc|root)\.ts$/ },
  { room: /^lib\/native\.ts$/, may: /^lib\/(binding|errors)\.ts$/ },
  { room: /^lib\/gpu\.ts$/, may: /^lib\/(asar|errors|root)\.ts$/ },
  { room: /^lib\/info\.ts$/, may: /^lib\/(engine|families|native|options)\.ts$/ },
  { room: /^lib\/engine\.ts$/, may: /^lib\/(job|native|progress)\.ts$/ },
  { room: /^lib\/residence\.ts$/, may: /^lib\/(engine|errors|job)\.ts$/ },
  { room: /^lib\/pool\.ts$/, may: /^lib\/(errors|residence)\.ts$/ },
  {
    room: /^lib\/process\//,
    may: /^lib\/process\/|^lib\/(engine|errors|job|native|progress|root)\.ts$/,
  },
  { room: /^lib\/database\.ts$/, may: /^lib\/native\.ts$/ },
  { room: /^lib\/job\.ts$/, may: /^lib\/(errors|native|progress)\.ts$/ },
  {
    room: /^lib\/inspect\.ts$/,
    may: /^lib\/(gguf-type|info|native|options)\.ts$|^lib\/models\/resolve\.ts$/,
  },
  {
    room: /^lib\/model\.ts$/,
    may: /^lib\/(engine|errors|families|gguf-type|gpu|info|job|native|options|residence)\.ts$|^lib\/models\/resolve\.ts$|^lib\/process\//,
  },
  {
    room: /^lib\/(embedder|reranker)\.ts$/,
    may: /^lib\/(errors|info|job|model|options|prompts)\.ts$/,
  },
  {
    room: /^lib\/index\.ts$/,
    may: /^lib\/(?!native|binding|database|job|engine|residence|process|model\.ts|gpu|cli|eval|fleet|mine|merge|pairs|search|server|synth|thread|train|integrations)/,
  },
  {
    room: /^lib\/models\//,
    may: /^lib\/models\/|^lib\/(asar|errors|nearest|progress|root)\.ts$/,
  },
  { room: /^lib\/verify\//, may: /^lib\/verify\/|^lib\/index\.ts$/ },
  {
    room: /^lib\/cli\//,
    may: /^lib\/(cli|verify|eval|fleet|mine|merge|pairs|search|server|synth|train|integrations)\/|^lib\/(index|nearest|npy|root)\.ts$/,
  },
  {
    room: /^lib\/fleet\//,
    may: /^lib\/(fleet|thread)\/|^lib\/(errors|index|npy|progress|root)\.ts$/,
    dependencies:
      /^(bullmq|ioredis|@nats-io\/(jetstream|transport-node)|hyparquet(-compressors)?|fzstd|apache-arrow|parquet-wasm\/node|@aws-sdk\/credential-provider-node)$/,
  },
  {
    room: /^lib\/eval\//,
    may: /^lib\/eval\/|^lib\/(errors|index|nearest|root)\.ts$/,
    dependencies: /^hyparquet(-compressors)?$/,
  },
  {
    room: /^lib\/train\//,
    may: /^lib\/(train|pairs)\/|^lib\/eval\/index\.ts$|^lib\/(errors|index|native|nearest|progress)\.ts$/,
  },
  {
    room: /^lib\/mine\//,
    may: /^lib\/(mine|pairs)\/|^lib\/(errors|index|nearest|progress)\.ts$/,
  },
  { room: /^lib\/synth\/llm\/local\.ts$/, may: /^lib\/synth\/llm\/|^lib\/(index|native)\.ts$/ },
  {
    room: /^lib\/synth\//,
    may: /^lib\/(pairs|synth)\/|^lib\/(errors|index|nearest|progress)\.ts$/,
  },
  {
    room: /^lib\/pairs\//,
    may: /^lib\/pairs\/|^lib\/eval\/(places|vectors\/\w+)\.ts$|^lib\/(errors|index)\.ts$/,
  },
  {
    room: /^lib\/merge\//,
    may: /^lib\/merge\/|^lib\/eval\/index\.ts$|^lib\/(errors|index|native|nearest|progress)\.ts$/,
  },
  {
    room: /^lib\/search\//,
    may: /^lib\/(search|thread)\/|^lib\/models\/lock\.ts$|^lib\/(database|errors|index|progress|root)\.ts$/,
    dependencies: /^(ignore|stemmer|htmlparser2|postal-mime|unpdf|@parcel\/watcher)$/,
  },
  {
    room: /^lib\/server\//,
    may: /^lib\/server\/|^lib\/search\/index\.ts$|^lib\/(errors|index|nearest|root)\.ts$/,
    dependencies: /./,
  },
  {
    room: /^lib\/integrations\//,
    may: /^lib\/integrations\/|^lib\/search\/index\.ts$|^lib\/(errors|index|root)\.ts$/,
    dependencies: /./,
  },
]

const sources = (folder: string, ending: RegExp): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => ending.test(name))
    .map((name) => join(folder, name).replaceAll('\\', '/'))

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8')
  const statements = text.matchAll(
    /^(?:import|export)\s[^;'"()]*?\sfrom\s+'([^']+)'|^import\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm,
  )
  return [...statements].map((match) => (match[1] ?? match[2] ?? match[3])!)
}

describe('lib', () => {
  it.each(sources('lib', /\.ts$/))('%s imports what its room may', (file) => {
    const room = rooms.find(({ room }) => room.test(file))
    expect(room, `${file} belongs to no room of the table`).toBeDefined()
    for (const name of importsOf(file)) {
      if (name.startsWith('node:')) continue
      if (name.startsWith('.')) {
        const target = relative(root, resolve(root, dirname(file), name)).replaceAll('\\', '/')
        expect(target, `${file} imports ${target}`).toMatch(room!.may)
      } else {
        expect(name, `${file} imports ${name}`).toMatch(room!.dependencies ?? /^$/)
      }
    }
  })
})

it('takes GPU modules of the llama.cpp that it is built with', () => {
  const script = readFileSync(join(root, 'scripts/llama.mjs'), 'utf8')
  expect(script).toContain(`const version = '${llamaRelease}'`)
})

describe('native', () => {
  const includes = (file: string) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/#include [<"]([^>"]+)[>"]/g)].map(
      (m) => m[1]!,
    )

  it.each([
    ['native/core', /napi\.h|node_api|addon\/|index\/|sqlite/],
    ['native/index', /napi\.h|node_api|addon\/|llama\.h|ggml|gguf\.h|core\/(?!failure)/],
    ['native/addon', /llama\.h|ggml|gguf\.h|kernels\/|sqlite/],
    ['native/kernels', /napi\.h|node_api|llama\.h|ggml|core\/|addon\/|index\/|sqlite/],
  ])('%s sees nothing of %s', (folder, forbidden) => {
    for (const file of sources(folder, /\.(cc|h)$/)) {
      for (const name of includes(file)) {
        if (name === 'core/file/gguf_file.h') continue
        expect(name, `${file} includes ${name}`).not.toMatch(forbidden)
      }
    }
  })
})

describe('the addon', () => {
  it('has the members of its typed mirror and no others', () => {
    const { binding } = native()
    const members = (type: { prototype: object }) =>
      Object.getOwnPropertyNames(type.prototype).filter((name) => name !== 'constructor')
    expect(Object.keys(binding).sort()).toEqual([
      'Database',
      'Generator',
      'Job',
      'Merger',
      'Model',
      'Trainer',
      'codes',
      'endWithParent',
      'inspect',
      'scan',
    ])
    expect(members(binding.Database as never).sort()).toEqual([
      'close',
      'execute',
      'lastRow',
      'rows',
      'scoreWords',
    ])
    expect(members(binding.Model).sort()).toEqual(['abort', 'close', 'load', 'stats'])
    expect(members(binding.Generator).sort()).toEqual(['abort', 'ask', 'close', 'load'])
    expect(members(binding.Merger).sort()).toEqual(['abort', 'done', 'run'])
    expect(members(binding.Trainer).sort()).toEqual([
      'abort',
      'close',
      'load',
      'readState',
      'setRows',
      'setTexts',
      'stateWords',
      'step',
      'stepPairs',
      'writeAdapter',
      'writeState',
    ])
    expect(members(binding.Job as never).sort()).toEqual(['abort', 'add', 'run'])
  })

  it('has no failure code that lib/errors.ts does not list', () => {
    const listed = readFileSync(join(root, 'lib/errors.ts'), 'utf8')
    // An aborted call rejects with the signal's reason, so this code never reaches a user.
    const codes = native()
      .binding.codes()
      .filter((code) => code !== 'ERR_ABORTED')
    for (const code of codes) expect(listed).toContain(`'${code}'`)
  })
})
