// Time and peak memory of `qwen3-embed eval score` on a run of a million lines: 1,000 queries, 1,000 documents each.
// node eval/score.mjs
import { execFileSync } from 'node:child_process'
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { finished } from 'node:stream/promises'

const queries = 1_000
const documents = 1_000
const corpus = 100_000
const folder = mkdtempSync(join(tmpdir(), 'eval-score-'))
const root = dirname(createRequire(import.meta.url).resolve('qwen3-embed/package.json'))

let state = 1
function random() {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  return state / 2 ** 32
}

const [run, qrels] = ['run.txt', 'qrels.txt'].map((name) => join(folder, name))
const [runFile, qrelsFile] = [run, qrels].map((path) => createWriteStream(path))
for (let query = 0; query < queries; query++) {
  const first = Math.floor(random() * corpus)
  let lines = ''
  for (let i = 0; i < documents; i++) {
    const id = `doc-${`${(first + 97 * i) % corpus}`.padStart(6, '0')}`
    lines += `q${query} Q0 ${id} ${i + 1} ${random().toFixed(6)} bench\n`
    if (i % 40 === 0) qrelsFile.write(`q${query} 0 ${id} ${Math.floor(random() * 4)}\n`)
  }
  runFile.write(lines)
}
for (const file of [runFile, qrelsFile]) {
  file.end()
  await finished(file)
}

const measured = `
  process.argv.splice(1, 1, 'qwen3-embed')
  const before = performance.now()
  process.on('exit', () => console.error(
    ((performance.now() - before) / 1000).toFixed(2) + ' s, ' +
    Math.round(process.resourceUsage().maxRSS / 1000) + ' MB at most'))
  await import(${JSON.stringify(join(root, 'dist/cli/main.js'))})`
execFileSync(
  process.execPath,
  [
    '--input-type=module',
    '--eval',
    measured,
    '--',
    'x',
    'eval',
    'score',
    '--qrels',
    qrels,
    '--run',
    run,
  ],
  { stdio: 'inherit' },
)
rmSync(folder, { recursive: true })
