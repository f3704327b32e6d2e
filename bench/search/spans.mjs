// How much of the span that answers a question is in the first 4,000 characters of results.
//   node bench/search/spans.mjs DATA OUT [MODEL]
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Index } from 'qwen3-embed/search'

const [data, out, model = 'mini'] = process.argv.slice(2)
const budget = 4_000
const folder = resolve(out, 'spans')
mkdirSync(folder, { recursive: true })
for (const file of readdirSync(data).filter((name) => name.endsWith('.md')))
  copyFileSync(join(data, file), join(folder, file))
const path = join(out, 'spans.index')
for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
const index = await Index.open(path, { embedder: model, standIn: null })
await index.addRoot(folder)
await index.update()
const rows = parseCsv(
  readFileSync(
    join(
      data,
      readdirSync(data).find((name) => name.endsWith('.csv')),
    ),
    'utf8',
  ),
).slice(1)
for (const [way, options] of Object.entries({
  words: { alpha: 0 },
  fused: {},
  meaning: { alpha: 1 },
})) {
  const by = {}
  for (const [question, references, corpus] of rows) {
    const source = readFileSync(join(folder, `ch.${corpus}.md`), 'utf8')
    const spans = JSON.parse(references)
    const query = question.replaceAll('"', ' ')
    const { hits } = await index.search(query, { limit: 20, perFile: 20, ...options })
    let left = budget
    const covered = new Set()
    for (const { text, name } of hits) {
      if (left <= 0) break
      const part = text.slice(0, left)
      left -= part.length
      if (name !== `ch.${corpus}.md`) continue
      const start = source.indexOf(part)
      if (start < 0) continue
      for (let i = start; i < start + part.length; i++) covered.add(i)
    }
    let [inside, all] = [0, 0]
    for (const { start_index: from, end_index: to } of spans) {
      for (let i = from; i < to; i++) {
        all++
        if (covered.has(i)) inside++
      }
    }
    by[corpus] ??= []
    by[corpus].push(inside / all)
  }
  const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length
  const every = Object.values(by).flat()
  console.log(
    way.padEnd(8),
    `${every.length} questions`,
    (100 * mean(every)).toFixed(1),
    JSON.stringify(
      Object.fromEntries(
        Object.entries(by).map(([name, list]) => [name, (100 * mean(list)).toFixed(1)]),
      ),
    ),
  )
}
await index.close()

function parseCsv(text) {
  const rows = []
  let row = []
  let cell = ''
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const letter = text[i]
    if (quoted) {
      if (letter === '"' && text[i + 1] === '"') cell += text[++i]
      else if (letter === '"') quoted = false
      else cell += letter
    } else if (letter === '"') quoted = true
    else if (letter === ',') {
      row.push(cell)
      cell = ''
    } else if (letter === '\n') {
      rows.push([...row, cell.replace(/\r$/, '')])
      row = []
      cell = ''
    } else cell += letter
  }
  if (cell || row.length) rows.push([...row, cell])
  return rows
}
