// How good are the answers of an index? Judged collections (BEIR's layout) become folders of Markdown files, indexed and
// searched as anybody's; each way of ranking is a system of a report that `qwen3-embed eval compare` tests in pairs.
//   node bench/search/quality.mjs DATA OUT [MODEL…]
// DATA holds folders with corpus.jsonl(.gz), queries.jsonl and qrels/test.tsv.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { score } from 'qwen3-embed/eval'
import { Index } from 'qwen3-embed/search'
import { read, write } from './collections.mjs'

const [data, out, ...given] = process.argv.slice(2)
const models = given.length > 0 ? given : ['mini']
const ways = {
  words: { alpha: 0 },
  fused: {},
  ranks: { fusion: 'ranks' },
  meaning: { alpha: 1 },
}
const metrics = ['ndcg@10', 'map', 'recall@100']

mkdirSync(out, { recursive: true })
const collections = readdirSync(data).filter((name) =>
  existsSync(join(data, name, 'queries.jsonl')),
)
const table = []
for (const name of collections) {
  const collection = read(join(data, name))
  const folder = resolve(out, name)
  write(folder, collection.documents)
  for (const model of models) {
    const file = join(out, `${name}.${basename(model)}.index`)
    const index = await Index.open(file, { embedder: model, standIn: null })
    await index.addRoot(folder)
    const { seconds, embedded } = await index.update()
    const systems = []
    for (const [way, options] of Object.entries(ways)) {
      const found = await run(index, collection, options)
      const { metrics: means, queries, values } = score(collection.qrels, found, { metrics })
      table.push({
        collection: name,
        model: basename(model),
        way,
        ndcg: means['ndcg@10'].mean ?? means['ndcg@10'].value,
        means,
      })
      systems.push(system(`${way}`, basename(model), means, values))
      collection.items = queries
    }
    const report = {
      version: 1,
      dataset: {
        name,
        task: null,
        kind: 'retrieval',
        split: 'test',
        digest: '',
        counts: { queries: collection.items.length },
      },
      items: collection.items,
      systems,
      remarks: [],
    }
    writeFileSync(join(out, `${name}.${basename(model)}.json`), JSON.stringify(report))
    process.stderr.write(
      `${name} ${basename(model)}: ${embedded} passages embedded in ${seconds.toFixed(0)} s\n`,
    )
    await index.close()
  }
}
for (const model of new Set(table.map((row) => row.model))) {
  for (const way of Object.keys(ways)) {
    const rows = table.filter((row) => row.model === model && row.way === way)
    const numbers = rows.map(({ ndcg }) => 100 * ndcg)
    const mean = numbers.reduce((a, b) => a + b, 0) / numbers.length
    console.log(
      [
        model.padEnd(12),
        way.padEnd(8),
        ...rows.map((row, i) => `${row.collection} ${numbers[i].toFixed(1)}`),
        `mean ${mean.toFixed(2)}`,
      ].join('  '),
    )
  }
}

async function run(index, { queries, qrels, ids }, options) {
  const found = new Map()
  for (const [id, text] of queries) {
    if (!qrels.has(id)) continue
    // A question of a collection is a sentence: its signs are no operators.
    const query = text.replaceAll('"', ' ').replace(/(^|\s)-/g, '$1')
    const { hits } = await index.search(query, { limit: 100, perFile: 1, ...options })
    found.set(id, new Map(hits.map((hit) => [ids.get(hit.name), hit.score])))
  }
  return found
}

function system(label, model, means, values) {
  return {
    label,
    model: { name: model, fingerprint: '', quantization: '', architecture: '' },
    ...{
      adapter: null,
      reranker: null,
      instruction: '',
      dimensions: 0,
      encoding: 'int8',
      main: 'ndcg@10',
    },
    ...{
      metrics: means,
      values,
      evidence: { kind: 'mean', values: values['ndcg@10'] },
      histogram: null,
    },
  }
}
