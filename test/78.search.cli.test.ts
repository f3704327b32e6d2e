import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { excerpt, timeOf } from '../lib/cli/search-index.ts'

const command = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
const base = realpathSync(mkdtempSync(join(tmpdir(), 'search-cli-')))
const notes = join(base, 'notes')

beforeAll(() => {
  mkdirSync(join(notes, 'lib'), { recursive: true })
  writeFileSync(
    join(notes, 'boiler.md'),
    '# Heating\n\nThe boiler loses pressure. Bleed the radiators.\n',
  )
  writeFileSync(join(notes, 'lib/queue.ts'), 'export class JobQueue {\n  retryLater() {}\n}\n')
  writeFileSync(join(notes, 'noise.bin'), Buffer.from([0, 1, 2]))
})
afterAll(() => rmSync(base, { recursive: true, force: true }))

function run(args: string[], cwd = notes) {
  const env = { ...process.env, QWEN3_EMBED_DATA: join(base, 'data'), HF_HUB_OFFLINE: '1' }
  const child = spawn(process.execPath, [command, ...args], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (data) => {
    stdout += data
  })
  child.stderr.on('data', (data) => {
    stderr += data
  })
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}

describe('index and search', () => {
  it('without an index search is a demonstration, and what is for indexes is refused', async () => {
    expect((await run(['search', 'how do I get my money back', '-n', '1'])).stdout).toContain(
      'refund',
    )
    const { code, stderr } = await run(['search', 'x', '--type', 'md'])
    expect(code).toBe(2)
    expect(stderr).toContain('--type is for searching an index')
    expect((await run(['index'])).stderr).toContain('Expected a folder to index')
  })

  it('say what would be read, and do nothing', async () => {
    const { stdout } = await run(['index', '.', '--dry-run', '--exclude', '*.bin'])
    expect(stdout).toContain(`leave    ${notes}/noise.bin (excluded)`)
    expect(stdout).toContain('2 files to read, 1 entry left out')
    expect((await run(['index', 'status', '--all'])).stdout).toBe('')
  })

  it('make a folder searchable with one command, and find in it from within', async () => {
    const made = await run(['index', '.', '-q'])
    expect(made).toMatchObject({ code: 0 })
    expect(made.stdout).toMatch(/^2 files, 2 passages: 2 files read, 1 file without text skipped/)
    expect((await run(['index', '-q'])).stdout).toMatch(/nothing changed/)
    const found = await run(['search', 'radiators', '-n', '1'], join(notes, 'lib'))
    expect(found.code).toBe(0)
    expect(found.stdout).toContain(`${notes}/boiler.md:1`)
    expect(found.stdout).toContain('Bleed the radiators')
    // What was written since is found too.
    writeFileSync(join(notes, 'later.txt'), 'a pomegranate')
    expect((await run(['search', '"pomegranate"', '--files'])).stdout).toBe(`${notes}/later.txt\n`)
  })

  it('answer in JSON, by filters, and with exit code 1 for nothing', async () => {
    const { stdout } = await run([
      'search',
      'JobQueue',
      '--json',
      '--type',
      'code',
      '--in',
      'lib/**',
      '--explain',
    ])
    const { hits, weak } = JSON.parse(stdout)
    expect(hits).toMatchObject([{ name: 'lib/queue.ts', lines: [1, 3], kind: 'code' }])
    expect(weak).toBe(false)
    expect(await run(['search', '"no such phrase"', '-q'])).toMatchObject({
      code: 1,
      stdout: 'nothing matches\n',
    })
    expect((await run(['search', 'x', '--type', 'music'])).stderr).toContain('--type takes md')
    expect((await run(['search', 'x', '--since', 'then'])).stderr).toContain('--since takes a date')
  })

  it('tell of themselves', async () => {
    const status = await run(['index', 'status'])
    expect(status.stdout).toMatch(/holds +3 files, 3 passages/)
    expect(status.stdout).toContain('not in it: 1 file\n  skipped')
    expect((await run(['index', 'doctor'])).code).toBe(0)
    expect((await run(['index', 'doctor', '--json'])).stdout).toContain('"ok": true')
    expect((await run(['index', 'statu'])).stderr).toMatch(/statu/)
  })

  it('copy, export and delete', async () => {
    expect((await run(['index', '--backup', join(base, 'copy.index')])).code).toBe(0)
    expect(
      (await run(['search', 'radiators', '--index', join(base, 'copy.index'), '--files'])).stdout,
    ).toContain('boiler.md')
    expect((await run(['index', '--export', join(base, 'out.jsonl')])).code).toBe(0)
    const lines = readFileSync(join(base, 'out.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines).toHaveLength(3)
    expect(lines[0]).toMatchObject({ kind: expect.any(String), fingerprint: expect.any(String) })
    expect(Math.hypot(...lines[0].vector)).toBeCloseTo(1, 2)
    expect((await run(['index', '--rebuild', '-q'])).stdout).toMatch(/^3 files/)
    expect((await run(['index', 'rm', 'default'])).code).toBe(0)
    expect((await run(['index', 'status', '--index', 'default'])).code).toBe(2)
    expect((await run(['index', '.', '--here', '-q'])).code).toBe(0)
    expect((await run(['search', 'radiators', '--files'], join(notes, 'lib'))).stdout).toContain(
      'boiler.md',
    )
  })
})

it('dates are days, or so many back', () => {
  expect(timeOf('2026-01-31')).toBe(Date.UTC(2026, 0, 31))
  expect(timeOf('2w', 20 * 86_400_000)).toBe(6 * 86_400_000)
})

it('an excerpt is about the words of the question', () => {
  const text = `${'filler\n'.repeat(40)}the needle is here\n${'filler\n'.repeat(40)}`
  expect(excerpt({ text, matched: ['needl'] }).join()).toContain('needle')
  expect(excerpt({ text: `${'x '.repeat(900)}needle`, matched: ['needl'] })[0]).toContain('needle')
})

it('--eval judges an index by files that are known to be right', async () => {
  const [files, folder] = [join(base, 'judged'), join(base, 'beir')]
  for (const one of [join(files, 'a'), join(folder, 'qrels')]) mkdirSync(one, { recursive: true })
  writeFileSync(join(files, 'a/boiler.md'), '# Heating\n\nBleed the radiators.\n')
  writeFileSync(join(files, 'tea.md'), '# Tea\n\nPour hot water over the leaves.\n')
  const queries = [
    { _id: 'q1', text: 'radiators' },
    { _id: 'q2', text: 'tea leaves' },
    { _id: 'q3', text: 'radiators' },
  ]
  const lines = queries.map((query) => JSON.stringify(query)).join('\n')
  writeFileSync(join(folder, 'queries.jsonl'), lines)
  const judge = (rows: string[]) =>
    writeFileSync(
      join(folder, 'qrels', 'test.tsv'),
      ['query-id\tcorpus-id\tscore', ...rows, ''].join('\n'),
    )
  // Without its ending, whole, and one that no search of this can put first.
  judge(['q1\ta/boiler\t1', 'q2\ttea.md\t1', 'q3\tnowhere\t1', 'q9\ttea\t1'])
  expect(await run(['index', '.', '-q'], files)).toMatchObject({ code: 0 })
  const { stdout, stderr } = await run(['search', '--eval', folder, '--json'], files)
  const { metrics, queries: count } = JSON.parse(stdout)
  expect(count).toBe(3)
  for (const name of ['ndcg@10', 'recall@10', 'recall@100', 'mrr@10']) {
    expect(metrics[name].value).toBeCloseTo(2 / 3, 10)
    expect(metrics[name].low).toBeLessThan(metrics[name].high)
  }
  expect(stderr).toContain('1 judged queries are not among the queries: left out (first: q9)')
  expect((await run(['search', '--eval', folder], files)).stdout).toMatch(/ndcg@10 +0\.667 +\[/)
  expect((await run(['search', 'x', '--eval', folder], files)).code).toBe(2)
  expect((await run(['search', '--eval', folder, '--explain'], files)).code).toBe(2)
  judge(['q1\td17\t1'])
  const wrong = await run(['search', '--eval', folder], files)
  expect(wrong.code).toBe(1)
  expect(wrong.stderr).toMatch(/No query found a file that is judged.*not d17/)
})
