import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Embedder } from 'qwen3-embed'
import { afterAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'tune-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string) => join(folder, name)

const things = [
  'pump',
  'valve',
  'boiler',
  'fan',
  'gauge',
  'motor',
  'belt',
  'filter',
  'tank',
  'relay',
]
const works = ['cleaning', 'storage', 'testing', 'painting', 'repair']
mkdirSync(at('docs'))
for (const [i, thing] of things.entries()) {
  const sections = works.map(
    (work, k) =>
      `## ${work} of the ${thing}\n\nThe ${thing} of series ${i + 3} asks for ${work} once in ${k + 2} months. ` +
      `Whoever does it takes the ${thing} off, looks at its ${things[(i + k + 1) % 10]} and writes down what was found.\n`,
  )
  writeFileSync(at(`docs/${thing}.md`), `# The ${thing} handbook\n\n${sections.join('\n')}`)
}

const run = (...args: string[]) => {
  const child = spawn(process.execPath, [join(root, 'dist/cli/main.js'), 'tune', ...args], {
    cwd: folder,
    env: { ...process.env, QWEN3_EMBED_MODEL: 'mini' },
  })
  let output = ''
  child.stdout.on('data', (data) => (output += data))
  child.stderr.on('data', (data) => (output += data))
  const ended = new Promise<{ code: number | null; output: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, output })),
  )
  return { child, ended }
}
const some = (output: string) =>
  ['docs', '-o', output, '--cache-dir', 'cache', '--epochs', '1', '--threads', '1'] as const
const lines = (path: string) =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

describe('from documents to an adapter', () => {
  it('makes rows, sets documents aside, trains, and says whether it is better', async () => {
    const { code, output } = await run(...some('first.gguf')).ended
    expect(output).toMatch(/queries to learn from, \d+ set aside/)
    expect(output).toMatch(/judged by headings of documents set aside/)
    // Made-up documents: either way, but as it says.
    const isBetter = /Better: adopted/.test(output)
    expect(code).toBe(isBetter ? 0 : 3)
    expect(/Not better: not adopted/.test(output)).toBe(!isBetter)
    expect(existsSync(at('first.gguf'))).toBe(isBetter)

    const learnt = lines(at('first.gguf.tune/triples.jsonl'))
    expect(learnt.length).toBeGreaterThan(10)
    expect(learnt.every(({ negatives }) => Array.isArray(negatives))).toBe(true)
    const judging = lines(at('first.gguf.tune/held-out/queries.jsonl'))
    const asked = new Set(learnt.map(({ query }) => query))
    expect(judging.length).toBeGreaterThan(0)
    expect(judging.filter(({ text }) => asked.has(text))).toEqual([])
  }, 240_000)

  it('goes on after a kill, to the same file', async () => {
    const straight = await run(...some('straight.gguf'), '--keep-anyway').ended
    expect(straight.code).toBe(0)
    const { child, ended } = run(...some('killed.gguf'), '--keep-anyway')
    const timer = setInterval(() => {
      if (existsSync(at('killed.gguf.tune/triples.jsonl'))) child.kill('SIGKILL')
    }, 2)
    expect((await ended).code).toBeNull()
    clearInterval(timer)
    expect(existsSync(at('killed.gguf'))).toBe(false)
    expect((await run(...some('killed.gguf'), '--keep-anyway').ended).code).toBe(0)
    expect(readFileSync(at('killed.gguf')).equals(readFileSync(at('straight.gguf')))).toBe(true)
    await using adapted = await Embedder.load('mini', { adapter: at('killed.gguf') })
    await using plain = await Embedder.load('mini')
    expect((await adapted.embed(['a pump']))[0]).not.toEqual((await plain.embed(['a pump']))[0])
  }, 240_000)

  it('is judged by what is given, and sets nothing aside then', async () => {
    const dev = at('first.gguf.tune/held-out')
    const { code, output } = await run(...some('given.gguf'), '--dev', dev).ended
    expect(output).toMatch(/queries to learn from, 0 set aside/)
    expect([0, 3]).toContain(code)
    expect(existsSync(at('given.gguf.tune/held-out'))).toBe(false)
    expect(lines(at('given.gguf.tune/pairs.jsonl')).length).toBeGreaterThan(
      lines(at('first.gguf.tune/pairs.jsonl')).length,
    )
  }, 240_000)

  it.each([
    [[], /Expected a folder of Markdown/],
    [['docs'], /Expected --output FILE/],
    [['docs', '-o', 'x.gguf', '--sides', 'left'], /both/],
  ])('%j is misuse', async (args, sentence) => {
    const { code, output } = await run(...args).ended
    expect(output).toMatch(sentence)
    expect(code).toBe(2)
  })
})
