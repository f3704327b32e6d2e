// Questions about repositories, each with the file that answers it: nDCG@10 and how often that file comes first.
//   node bench/search/code.mjs QUESTIONS SOURCES OUT [MODEL]
// QUESTIONS holds files of lines `question|path`, the first one `@name … prefix`; SOURCES a folder for each name.
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Index } from 'qwen3-embed/search'

const [questions, sources, out, model = 'mini'] = process.argv.slice(2)
const ways = { words: { alpha: 0 }, fused: {}, ranks: { fusion: 'ranks' }, meaning: { alpha: 1 } }
mkdirSync(out, { recursive: true })
const totals = {}
for (const file of readdirSync(questions).filter((name) => name.endsWith('.txt'))) {
  const [first, ...lines] = readFileSync(join(questions, file), 'utf8').trim().split('\n')
  const [name, , prefix = ''] = first.slice(1).split(' ')
  const path = join(out, `${name}.index`)
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
  const index = await Index.open(path, { embedder: model, standIn: null })
  await index.addRoot(resolve(sources, name), prefix ? { include: [`${prefix}**`] } : {})
  await index.update()
  for (const [way, options] of Object.entries(ways)) {
    totals[way] ??= { n: 0, first: 0, ndcg: 0, by: {} }
    let sum = 0
    for (const line of lines) {
      const [query, ...wanted] = line.split('|')
      const { hits } = await index.search(query, {
        limit: 10,
        perFile: 1,
        types: ['code'],
        ...options,
      })
      const names = hits.map((hit) => hit.name)
      const gain = names.reduce(
        (total, one, i) => total + (wanted.includes(one) ? 1 / Math.log2(i + 2) : 0),
        0,
      )
      const ideal = wanted.slice(0, 10).reduce((total, _, i) => total + 1 / Math.log2(i + 2), 0)
      sum += gain / ideal
      totals[way].first += wanted.includes(names[0]) ? 1 : 0
      totals[way].n++
      if (process.env.SHOW && way === 'fused' && !wanted.includes(names[0]))
        console.log(`${name}: ${query} wants ${wanted}: ${names.slice(0, 3)}`)
    }
    totals[way].ndcg += sum
    totals[way].by[name] = ((100 * sum) / lines.length).toFixed(1)
  }
  await index.close()
}
for (const [way, { n, first, ndcg, by }] of Object.entries(totals))
  console.log(
    `${way.padEnd(8)} ${n} questions  nDCG@10 ${((100 * ndcg) / n).toFixed(1)}  first ${((100 * first) / n).toFixed(0)}%  ${JSON.stringify(by)}`,
  )
