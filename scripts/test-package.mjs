// The tarball as a user gets it: packed with the prebuild, installed without scripts into an empty folder, and used
// through `import`, `require` and the command.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'qwen3-embed-package-'))
const run = (command, args, options = {}) =>
  execFileSync(command, args, { cwd: folder, encoding: 'utf8', ...options })

try {
  run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], { cwd: root })
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'))
  writeFileSync(join(folder, 'package.json'), '{ "private": true }')
  run('npm', ['install', '--ignore-scripts', '--silent', `./${tarball}`])

  const use = `
    Embedder.load('mini').then(async (embedder) => {
      const [query, documents] = [await embedder.embedQuery('German capital'), await embedder.embedDocuments(['Berlin'])]
      console.log(similarity(query, documents[0]) > 0.2 ? 'ok' : 'wrong vectors')
      await embedder.close()
    })`
  writeFileSync(
    join(folder, 'esm.mjs'),
    `import { Embedder, similarity } from 'qwen3-embed'\n${use}`,
  )
  writeFileSync(
    join(folder, 'cjs.cjs'),
    `const { Embedder, similarity } = require('qwen3-embed')\n${use}`,
  )
  for (const file of ['esm.mjs', 'cjs.cjs']) {
    const output = run(process.execPath, [file]).trim()
    if (output !== 'ok') throw new Error(`${file} printed ${JSON.stringify(output)}`)
  }
  const line = run('npx', ['--no-install', 'qwen3-embed', 'embed', '--format', 'jsonl', 'hello'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  if (!line.includes('['))
    throw new Error(`the command printed ${JSON.stringify(line.slice(0, 200))}`)
  console.log(
    'the packed tarball installs without scripts and works through import, require and the command',
  )
} finally {
  rmSync(folder, { recursive: true, force: true })
}
