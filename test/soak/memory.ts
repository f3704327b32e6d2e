// Memory is given back: 100 loads and closes of a model in this process, and what is resident after each.
//
//   npm run soak:memory [-- --model FILE] [--cycles N]
import { parseArgs } from 'node:util'
import { Embedder } from 'qwen3-embed'

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'mini' },
    cycles: { type: 'string', default: '100' },
  },
})
const megabytes = () => process.memoryUsage.rss() / 2 ** 20
const texts = ['a '.repeat(200), 'b '.repeat(50)]

// What the first model of a process leaves is the addon itself.
const first = await Embedder.load('mini')
await first.embedDocuments(texts)
await first.close()
const before = megabytes()
console.log(`before: ${before.toFixed(1)} MB`)

const cycles = Number(values.cycles)
let most = before
for (let i = 1; i <= cycles; i++) {
  const embedder = await Embedder.load(values.model)
  await embedder.embedDocuments(texts)
  const loaded = megabytes()
  await embedder.close()
  most = Math.max(most, megabytes())
  if (i <= 3 || i % 10 === 0) {
    console.log(`${i}: loaded ${loaded.toFixed(1)} MB, closed ${megabytes().toFixed(1)} MB`)
  }
}
console.log(`most after a close: ${(most - before).toFixed(1)} MB more than before`)
if (most - before > 20) process.exitCode = 1
