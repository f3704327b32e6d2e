import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { fixture } from './fixtures/models.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const snippets = [...readme.matchAll(/```js\n([\s\S]*?)```/g)].map((match) => match[1]!)

// The model that nobody can download here is a tiny one of the same kind. All else runs as printed.
const runnable = (snippet: string) =>
  snippet
    .replaceAll("'qwen3-reranker-0.6b'", JSON.stringify(fixture('rerank')))
    .replaceAll("'qwen3-embed'", JSON.stringify(join(root, 'dist/index.js')))

describe('README.md', () => {
  it('has snippets', () => {
    expect(snippets.length).toBeGreaterThan(2)
  })

  it.each(snippets.map((snippet, i) => [i + 1, snippet] as const))(
    'snippet %i runs',
    (_, snippet) => {
      const file = join(mkdtempSync(join(tmpdir(), 'qwen3-embed-readme-')), 'snippet.mjs')
      writeFileSync(file, runnable(snippet))
      const output = execFileSync(process.execPath, [file], { encoding: 'utf8' })
      const logs = snippet.match(/console\.log/g)?.length ?? 0
      if (logs > 0) expect(output.trim().length).toBeGreaterThan(0)
    },
  )

  it('lists every error code', () => {
    const codes = readFileSync(join(root, 'lib/errors.ts'), 'utf8').match(/'ERR_\w+'/g)!
    for (const code of codes) expect(readme).toContain(`\`${code.slice(1, -1)}\``)
  })
})
