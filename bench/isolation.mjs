// What a process of its own costs: one query, and the vectors of 1,000 texts, in turns with a model in this process.
//
//   node isolation.mjs [--model FILE] [--rounds N]
import { parseArgs } from 'node:util'
import { Embedder } from 'qwen3-embed'

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'mini' },
    rounds: { type: 'string', default: '200' },
  },
})
const rounds = Number(values.rounds)
const texts = Array.from({ length: 1000 }, (_, i) => `text number ${i}`)
const contenders = {}
const loads = {}
for (const [name, options] of Object.entries({ here: {}, apart: { isolation: 'process' } })) {
  const start = performance.now()
  contenders[name] = await Embedder.load(values.model, options)
  loads[name] = performance.now() - start
}

const work = {
  'one query': (embedder) => embedder.embedQuery('What is the capital of China?'),
  '1,000 texts': (embedder) => embedder.embedDocuments(texts),
}
console.log(`load: ${loads.here.toFixed(0)} ms here, ${loads.apart.toFixed(0)} ms apart`)
for (const [title, run] of Object.entries(work)) {
  const times = { here: [], apart: [] }
  for (const embedder of Object.values(contenders)) for (let i = 0; i < 3; i++) await run(embedder)
  const n = title === 'one query' ? rounds : Math.max(2, Math.round(rounds / 20))
  for (let i = 0; i < n; i++) {
    for (const [name, embedder] of Object.entries(contenders)) {
      const start = performance.now()
      await run(embedder)
      times[name].push(performance.now() - start)
    }
  }
  const told = Object.entries(times).map(([name, all]) => {
    all.sort((a, b) => a - b)
    return `${name} ${all[all.length >> 1].toFixed(2)} (least ${all[0].toFixed(2)})`
  })
  console.log(`${title}, ms, median: ${told.join(', ')}`)
}
await Promise.all(Object.values(contenders).map((embedder) => embedder.close()))
