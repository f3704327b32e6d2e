// Every shell line of the documents, run as it is printed. What nobody can download here is a tiny model of the same
// kind, and servers take a free port.
import { execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { knownModels } from '../lib/index.ts'
import { fixture } from './fixtures/models.ts'
import { startServer } from './fixtures/server.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const main = join(root, 'dist/cli/main.js')
const pages = [
  'README.md',
  'docs/server.md',
  'docs/which.md',
  'docs/electron.md',
  'docs/llamaindex.md',
]

const lines = pages.flatMap((page) => {
  const text = readFileSync(join(root, page), 'utf8')
  return [...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block]) =>
    block!
      .split('\n')
      .map((line) => line.replace(/\s+# .*/, '').trim())
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [page, line] as const),
  )
})

// What `eval run … -o widths.json` leaves behind for the line after it.
const widths = join(mkdtempSync(join(tmpdir(), 'qwen3-embed-docs-')), 'widths.json')
execFileSync(process.execPath, [
  main,
  'eval',
  'run',
  'handbook',
  '-d',
  '256,64',
  '-o',
  widths,
  '-q',
])

/** A folder with the files that the documents speak of, and the command on its path. */
function workplace(): { cwd: string; env: NodeJS.ProcessEnv } {
  const cwd = mkdtempSync(join(tmpdir(), 'qwen3-embed-docs-'))
  mkdirSync(join(cwd, 'bin'))
  for (const [name, line] of [
    ['qwen3-embed', `exec '${process.execPath}' '${main}' "$@"`],
    ['npx', 'exec "$@"'],
  ] as const) {
    writeFileSync(join(cwd, 'bin', name), `#!/bin/sh\n${line}\n`)
    chmodSync(join(cwd, 'bin', name), 0o755)
  }
  cpSync(widths, join(cwd, 'widths.json'))
  for (const name of ['texts.txt', 'documents.txt']) writeFileSync(join(cwd, name), 'one\ntwo\n')
  writeFileSync(join(cwd, 'tracing.mjs'), '')
  mkdirSync(join(cwd, 'docs'))
  const rows: string[] = []
  for (let i = 0; i < 8; i++) {
    const text = `Chapter ${i} says much of its own matter, number ${i}, in words. `.repeat(4)
    const query = `What does chapter ${i} say`
    rows.push(JSON.stringify({ query, positive: text }))
    writeFileSync(join(cwd, 'docs', `${i}.md`), `# Book\n\n## ${query}\n\n${text}\n`)
  }
  writeFileSync(join(cwd, 'pairs.jsonl'), rows.join('\n'))
  cpSync(join(root, 'lib/eval/collections/handbook'), join(cwd, 'held-out'), { recursive: true })
  copyFileSync(fixture('embed'), join(cwd, 'model.gguf'))
  return { cwd, env: { ...process.env, PATH: `${join(cwd, 'bin')}:${process.env.PATH}` } }
}

const runnable = (line: string) =>
  line
    .replaceAll('qwen3-embedding-0.6b', fixture('embed'))
    .replaceAll('qwen3-reranker-0.6b', fixture('rerank'))
    .replaceAll(/--model M\b/g, `--model ${fixture('rerank')}`)
    .replace(/^qwen3-embed (?:train|tune) .*/, (given) => `${given} --epochs 1 --keep-anyway`)
    .replaceAll('=…', '=a-key-of-ours')

describe.each(lines)('%s: %s', (_, line) => {
  if (/^npm (install|ci|test|run)/.test(line)) {
    it('is of npm', () =>
      expect(line).toMatch(/^npm (install( -\S+)*( [\w@/.-]+)*|ci|test|run [\w:-]+)$/))
  } else if (/\bpull /.test(line)) {
    it('names a model that there is', () => {
      const names = knownModels().map(({ name }) => name)
      expect(names).toContain(/pull (\S+)/.exec(line)![1])
    })
  } else if (/^curl /.test(line)) {
    it('is answered', async () => {
      await using server = await startServer()
      const { port } = server.running
      const child = spawn('sh', [
        '-c',
        `${line.replace('8080', `${port}`)} --silent --show-error --fail`,
      ])
      let output = ''
      for await (const chunk of child.stdout) output += chunk
      expect(JSON.parse(output)).toHaveProperty('data')
    })
  } else if (/ (serve|mcp)\b/.test(line)) {
    it('starts', async () => {
      const isServer = / serve\b/.test(line)
      const child = spawn('sh', ['-c', `${runnable(line)}${isServer ? ' --port 0' : ''}`], {
        ...workplace(),
        detached: true,
        stdio: ['pipe', 'pipe', 'pipe'],
      })
      let output = ''
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (more) => (output += more))
      await expect
        .poll(() => output, { timeout: 30_000 })
        .toMatch(isServer ? /"listening"/ : /speaking MCP/)
      process.kill(-child.pid!, 'SIGTERM')
    })
  } else {
    it('runs', () => {
      const output = execFileSync('sh', ['-c', runnable(line)], {
        ...workplace(),
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      expect(output.length + (/-o |--output |> /.test(line) ? 1 : 0)).toBeGreaterThan(0)
    })
  }
})

it('README shows what its first line prints', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const output = execFileSync(process.execPath, [main, 'search', 'how do I get my money back'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const shown = /```text\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
  // Kernels differ in the last digits: a bar may end an eighth of a block sooner, a score be off by one.
  expect(rowsOf(shown).map(({ text }) => text)).toEqual(rowsOf(output).map(({ text }) => text))
  for (const [i, { score, bar }] of rowsOf(output).entries()) {
    expect(Math.abs(rowsOf(shown)[i]!.score - score)).toBeLessThan(0.011)
    expect(Math.abs(rowsOf(shown)[i]!.bar - bar)).toBeLessThanOrEqual(1)
  }
})

function rowsOf(output: string): { score: number; bar: number; text: string }[] {
  return output
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [, score, bar, text] = /^(\S+) +(\S+) +(.*)$/.exec(line)!
      return { score: Number(score), bar: bar!.length, text: text! }
    })
}
