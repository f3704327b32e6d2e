import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defaultInstruction, Embedder, Reranker } from 'qwen3-embed'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ggufBytes, HubServer } from './fixtures/hub-server.ts'
import { fixture } from './fixtures/models.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'cli-'))
const announcement = 'model: mini (bundled demonstration model, not a Qwen model)'
let embedder: Embedder

beforeAll(async () => {
  embedder = await Embedder.load('mini')
})
afterAll(async () => {
  await embedder.close()
  rmSync(folder, { recursive: true, force: true })
})

interface Ran {
  code: number | null
  stdout: string
  stderr: string
}

function run(
  args: string[],
  { input = '', env = {} as Record<string, string> } = {},
): Promise<Ran> {
  const hub = { HF_HUB_CACHE: join(folder, 'hub'), HF_HUB_OFFLINE: '1' }
  const child = spawn(process.execPath, [join(root, 'dist/cli/main.js'), ...args], {
    cwd: folder,
    env: { ...process.env, ...hub, ...env },
  })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (data) => out.push(data))
  child.stderr.on('data', (data) => err.push(data))
  child.stdin.end(input)
  return new Promise((resolve) => {
    child.on('close', (code) =>
      resolve({ code, stdout: `${Buffer.concat(out)}`, stderr: `${Buffer.concat(err)}` }),
    )
  })
}

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

describe('help', () => {
  it('shows the commands, and counts as misuse when nothing was asked', async () => {
    const { code, stdout, stderr } = await run([])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    for (const name of [
      'search',
      'embed',
      'rerank',
      'pull',
      'list',
      'inspect',
      'verify',
      'bench',
    ]) {
      expect(stderr).toMatch(new RegExp(`^ +${name} `, 'm'))
    }
    expect(await run(['--help'])).toEqual({ code: 0, stdout: stderr, stderr: '' })
  })

  it.each(['search', 'embed', 'rerank', 'pull', 'list', 'inspect', 'verify', 'bench'])(
    '%s --help has usage, options and a runnable-looking example',
    async (name) => {
      const { code, stdout, stderr } = await run([name, '--help'])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toMatch(new RegExp(`^Usage\n {2}qwen3-embed ${name}`, 'm'))
      expect(stdout).toMatch(/^Examples\n/m)
      for (const option of ['--json', '--quiet', '--help']) expect(stdout).toContain(option)
      const tooWide = stdout.split('\n').filter((line) => line.length > 120)
      expect(tooWide).toEqual([])
    },
  )

  it('tells the version', async () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    expect((await run(['--version'])).stdout).toBe(`${version}\n`)
  })
})

describe('misuse exits with 2 and points at help', () => {
  it.each([
    [['embde'], 'Unknown command "embde". Did you mean embed?'],
    [['sing'], 'There are search, index, embed'],
    [['embed', '--dimension', '64', 'x'], 'Unknown option --dimension. Did you mean --dimensions?'],
    [
      ['embed', '--format', 'jsno', 'x'],
      'takes jsonl, json, npy, table, not "jsno". Did you mean json?',
    ],
    [['embed', '--dimensions'], '--dimensions needs a value: --dimensions N'],
    [['embed', '--dimensions', 'all', 'x'], '--dimensions takes a number of at least 1'],
    [['embed', '--dimensions', '3', 'x'], '--dimensions takes an integer from 32 to 256, not 3'],
    [['embed', '--threads', '1.5', 'x'], '--threads takes a whole number'],
    [['embed', '--format', 'npy', 'x'], 'npy needs --output'],
    [['embed', '--input', 'a.txt', 'x'], 'not both'],
    [['rerank', 'x'], 'Expected --query'],
    [['rerank', '--query', 'q', 'x'], 'Expected --model with a reranker'],
    [['pull'], 'Expected the name of a model'],
    [['list', 'x'], 'takes no arguments'],
    [['inspect', 'a', 'b'], 'Expected one file but received 2'],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await run(args)
    expect(stderr).toContain(message)
    expect(stderr).toMatch(/Try: qwen3-embed .*--help\n$/)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })
})

describe('failures exit with 1, a sentence and a code, and no stack', () => {
  it.each([
    [['inspect', 'nowhere.gguf'], /There is no file .*nowhere\.gguf .*\(ERR_MODEL_NOT_FOUND\)\n$/],
    [['embed', '--input', 'nowhere.txt'], /There is no file nowhere\.txt\n$/],
    [['embed', '-m', 'qwen3-embedding-0.6b', 'x'], /\(ERR_OFFLINE\)\n$/],
    [['embed', '-m', 'no such model', 'x'], /\(ERR_MODEL_NAME\)\n$/],
    [['rerank', '-m', 'mini', '--query', 'q', 'd'], /Use it with search or embed/],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await run(args)
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/^ +at /m)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  })

  it('shows the stack when DEBUG is set', async () => {
    const { stderr } = await run(['inspect', 'nowhere.gguf'], { env: { DEBUG: '1' } })
    expect(stderr).toMatch(/^ +at /m)
  })
})

describe('embed', () => {
  const texts = ['The cat sleeps.', '', 'Zwölf Boxkämpfer, naïve 猫 🐈', 'line\u2028inside']

  it('announces the bundled model first, and prints what the API computes', async () => {
    const { code, stdout, stderr } = await run(['embed', ...texts])
    expect({ code, stderr }).toEqual({ code: 0, stderr: `${announcement}\n` })
    const rows = stdout.trimEnd().split('\n')
    const expected = await embedder.embedDocuments(texts)
    expect(rows.map((row) => Float32Array.from(JSON.parse(row).vector))).toEqual(expected)
    expect(rows.map((row) => JSON.parse(row).index)).toEqual([0, 1, 2, 3])
    expect(JSON.parse(rows[0]!).tokens).toBe(await embedder.countTokens(texts[0]!))
  })

  it('announces a bundled model nobody named even when quiet', async () => {
    expect((await run(['embed', '-q', 'x'])).stderr).toBe(`${announcement}\n`)
    expect((await run(['embed', '-q', '-m', 'mini', 'x'])).stderr).toBe('')
  })

  it('takes lines, JSON lines and JSON arrays, from files and from a pipe', async () => {
    // An empty text can be meant in JSON; a blank line is none.
    const lines = ['one', '', 'two', 'three'].join('\n')
    const objects = [{ body: 'one' }, { body: 'two' }, { body: 'three', n: 3 }]
    const jsonl = objects.map((one) => JSON.stringify(one)).join('\n\n')
    const ways: [string[], string?][] = [
      [['one', 'two', 'three']],
      [[], `${lines}\n`],
      [['-i', '-'], lines.replaceAll('\n', '\r\n')],
      [['-i', file('a.txt', `\uFEFF${lines}\n`)]],
      [['-i', file('a.jsonl', jsonl), '--field', 'body']],
      [['-i', file('a.json', JSON.stringify(['one', { text: 'two' }, 'three']))]],
      [['-i', '-', '--input-format', 'json', '--field', 'body'], JSON.stringify(objects)],
    ]
    const outputs = await Promise.all(
      ways.map(([args, input = '']) => run(['embed', '-d', '32', ...args], { input })),
    )
    for (const { code, stdout } of outputs) {
      expect({ code, stdout }).toEqual({ code: 0, stdout: outputs[0]!.stdout })
    }
    expect(outputs[0]!.stdout.split('\n')).toHaveLength(4)
  })

  it('says where input is not what it should be', async () => {
    const bad = file('bad.jsonl', '{"text":"a"}\n{"title":"b","id":1}\n')
    const { code, stderr } = await run(['embed', '-i', bad])
    expect(stderr).toContain(`in line 2 of ${bad}; it has title, id. --field names another field`)
    expect(code).toBe(1)
    expect((await run(['embed', '-i', file('worse.jsonl', '{"text":')])).stderr).toContain('line 1')
  })

  it('writes npy that holds the rows of the API', async () => {
    const output = join(folder, 'out.npy')
    const args = ['embed', '--query', '-d', '64', '-o', output, ...texts]
    const { code, stdout } = await run(args)
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
    const { shape, values } = readNpy(output)
    expect(shape).toEqual([texts.length, 64])
    const expected = await embedder.embed(texts, {
      instruction: defaultInstruction,
      dimensions: 64,
    })
    expect(values).toEqual(Float32Array.from(expected.flatMap((row) => Array.from(row))))
  })

  it('passes instruction, pooling and length on', async () => {
    const options = ['--instruction', 'Find duplicates', '--pooling', 'mean', '--no-normalize']
    const { stdout } = await run(['embed', '--json', ...options, 'a cat'])
    const [row] = JSON.parse(stdout)
    const call = { instruction: 'Find duplicates', pooling: 'mean', normalize: false } as const
    const [expected] = await embedder.embed(['a cat'], call)
    expect(Float32Array.from(row.vector)).toEqual(expected)
  })

  it('gives a vector for each token with --pooling none', async () => {
    const { stdout } = await run(['embed', '--pooling', 'none', '-d', '32', 'a cat'])
    const { tokens, vectors } = JSON.parse(stdout)
    expect(vectors).toHaveLength(tokens)
    expect(vectors.every((vector: number[]) => vector.length === 32)).toBe(true)
  })

  it('reports a text that fails in its place, or cuts it when asked', async () => {
    const input = `short\n${'word '.repeat(2_000)}\nshort\n`
    const failed = await run(['embed', '-d', '32'], { input })
    const rows = failed.stdout
      .trimEnd()
      .split('\n')
      .map((row) => JSON.parse(row))
    expect(rows[1].error.code).toBe('ERR_TEXT_TOO_LONG')
    expect(rows[1].error.message).toContain('--truncate end')
    expect(rows[2].vector).toEqual(rows[0].vector)
    expect(failed.stderr).toContain('1 text of 3 failed')
    expect(failed.code).toBe(1)
    const cut = await run(['embed', '-d', '32', '--truncate', 'end'], { input })
    expect(JSON.parse(cut.stdout.split('\n')[1]!)).toMatchObject({ index: 1, cut: 2_002 - 1_024 })
    expect(cut.code).toBe(0)
  })

  it('writes an empty array and an empty file for no texts', async () => {
    expect((await run(['embed', '--json'])).stdout).toBe('[]\n')
    const output = join(folder, 'none.npy')
    expect((await run(['embed', '-o', output])).code).toBe(0)
    expect(readNpy(output).shape).toEqual([0, 256])
  })
})

describe('search', () => {
  it('ranks its own sentences with bars, as plain text in a pipe', async () => {
    const { code, stdout, stderr } = await run(['search', 'how do I get my money back'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: `${announcement}\n` })
    const lines = stdout.trimEnd().split('\n')
    expect(lines).toHaveLength(5)
    expect(lines[0]).toMatch(/^0\.4\d {2}█+.* You can return the product within thirty days/)
    expect(stdout).not.toContain('\x1b')
  })

  it('searches given texts', async () => {
    const input = 'bananas are yellow\nthe bank raised its rates\n'
    const args = ['search', 'interest on loans', '-i', '-', '--json', '-n', '1']
    const found = JSON.parse((await run(args, { input })).stdout)
    expect(found).toMatchObject({ query: 'interest on loans', results: [{ index: 1 }] })
  })

  it('asks questions of its own without a query', async () => {
    const { stdout } = await run(['search', '--top', '1'])
    expect(stdout.split('\n\n')).toHaveLength(3)
    expect(stdout).toContain('Aspirin relieves headaches')
  })
})

describe('rerank', () => {
  const model = fixture('rerank')
  const documents = ['Venus is hot.', 'Mars is red.', 'Jupiter is large.']

  it('orders documents as the API does', async () => {
    const args = ['rerank', '-m', model, '--query', 'red planet', '--top', '2', '--json']
    const { code, stdout, stderr } = await run([...args, ...documents])
    expect({ code, stderr }).toEqual({ code: 0, stderr: `model: ${model}\n` })
    const reranker = await Reranker.load(model)
    const expected = await reranker.rank('red planet', documents, { topN: 2 })
    await reranker.close()
    expect(JSON.parse(stdout)).toEqual(
      expected.map((one) => ({ ...one, text: documents[one.index] })),
    )
  })

  it('prints a line for each document of a pipe, and logits when asked', async () => {
    const args = ['rerank', '-m', model, '--query', 'red planet', '--logit', '-f', 'jsonl']
    const { stdout } = await run(args, { input: `${documents.join('\n')}\n` })
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(rows.map((row) => row.text).sort()).toEqual([...documents].sort())
    expect(rows[0].score).toBeGreaterThan(rows[2].score)
  })
})

describe('models', () => {
  it('inspects a file: facts, findings, memory', async () => {
    const { code, stdout } = await run(['inspect', fixture('embed-old'), '--tokens', '512'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^architecture +qwen3$/m)
    expect(stdout).toMatch(/^note {2}.*pooling_type is missing\n +the last token is pooled$/m)
    expect(stdout).toMatch(/^memory .* for 512 tokens/m)
  })

  it('inspects as JSON, and tells how memory grows', async () => {
    const memory = async (tokens: string) =>
      JSON.parse((await run(['inspect', '--json', '--tokens', tokens])).stdout).memory
    const [short, long] = await Promise.all([memory('100'), memory('100000')])
    expect(short.weights).toBe(embedder.info.bytes)
    expect(long.activations).toBeGreaterThan(10 * short.activations)
  })

  it('exits with 1 for a file it would refuse', async () => {
    const { code, stdout, stderr } = await run(['inspect', file('empty.gguf', '')])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('ERR_MODEL_INVALID')
  })

  it('lists the bundled model and what was pulled', async () => {
    await using hub = await HubServer.start()
    hub.add('acme/tiny-GGUF', { 'tiny-Q8_0.gguf': ggufBytes(300_000) })
    const cache = join(folder, 'pulled')
    const place = ['--endpoint', hub.endpoint, '--cache-dir', cache]
    const env = { HF_HUB_OFFLINE: '' }
    const pulled = await run(['pull', 'acme/tiny-GGUF', ...place], { env })
    expect(pulled.code).toBe(0)
    expect(pulled.stdout).toMatch(/tiny-Q8_0\.gguf\n$/)
    expect(pulled.stderr).toMatch(/300 kB\n$/)
    const again = await run(['pull', 'acme/tiny-GGUF', ...place], { env })
    expect(again.stderr).toMatch(/300 kB, was already there\n$/)
    const listed = await run(['list', '--cache-dir', cache])
    expect(listed.stdout).toMatch(/^mini +10\.8 MB +Q8_0 +bundled demonstration model, not a Qwen/m)
    expect(listed.stdout).toMatch(/^hf:acme\/tiny-GGUF\/tiny-Q8_0\.gguf +300 kB +Q8_0 +acme/m)
  })

  it('measures', async () => {
    const { code, stdout } = await run(['bench', '--seconds', '0.05', '--json'])
    expect(code).toBe(0)
    const { measured, latency, engine, kernels, memory } = JSON.parse(stdout)
    expect(measured.map((one: { workload: string }) => one.workload)).toEqual([
      'short queries',
      'passages',
    ])
    for (const one of measured) expect(one.tokensPerSecond).toBeGreaterThan(0)
    expect(latency.p50Ms).toBeGreaterThan(0)
    expect({ engine, kernels }).toEqual({
      engine: embedder.info.engine,
      kernels: embedder.info.kernels,
    })
    expect(memory.peak).toBeGreaterThan(10e6)
  })
})

describe('pipes', () => {
  it('ends quietly when the reader goes away', async () => {
    const child = spawn(process.execPath, [join(root, 'dist/cli/main.js'), 'embed', '-d', '32'])
    let stderr = ''
    child.stderr.on('data', (data) => (stderr += data))
    child.stdin.on('error', () => {})
    child.stdin.end(Array.from({ length: 3_000 }, (_, i) => `line ${i}`).join('\n'))
    child.stdout.once('data', () => child.stdout.destroy())
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect({ code, stderr }).toEqual({ code: 0, stderr: `${announcement}\n` })
  })
})

function readNpy(path: string): { shape: number[]; values: Float32Array } {
  const bytes = readFileSync(path)
  expect(bytes.subarray(0, 8).toString('latin1')).toBe('\x93NUMPY\x01\x00')
  const start = 10 + bytes.readUInt16LE(8)
  expect(start % 64).toBe(0)
  const header = bytes.toString('latin1', 10, start)
  const match =
    /^\{'descr': '<f4', 'fortran_order': False, 'shape': \((\d+), (\d+)\), \} *\n$/.exec(header)
  const shape = match!.slice(1).map(Number)
  expect(bytes.length - start).toBe(4 * shape[0]! * shape[1]!)
  const values = new Float32Array(new Uint8Array(bytes.subarray(start)).buffer)
  return { shape, values }
}
