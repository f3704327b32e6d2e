// What an adapter of rank 16 on all seven matrices costs at inference: the same texts with and without it, in turn.
//
//   node bench/adapters/cost.mjs [--model mini|FILE] [--threads 1] [--rounds 9] [--texts 64] [--length 128]
//
// By seconds of the processor, so that one thread can be compared on a machine that others use too.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Embedder } from 'qwen3-embed'
import { train } from 'qwen3-embed/train'
import { median, quantile } from '../statistics.mjs'
import { texts } from '../texts.mjs'

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'mini' },
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '9' },
    texts: { type: 'string', default: '64' },
    length: { type: 'string', default: '128' },
    adapter: { type: 'string' },
  },
})
const folder = mkdtempSync(join(tmpdir(), 'bench-adapter-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
const { model } = values
const options = { threads: Number(values.threads) }
const adapter = values.adapter ?? join(folder, 'adapter.gguf')
if (values.adapter === undefined) {
  const [a, b] = texts(2, 8, 1)
  // Two steps: B is no longer zero.
  const data = [{ query: a, positive: b, negatives: [`${a} ${b}`] }]
  await train({ model, data, output: adapter, epochs: 2, instruction: '', ...options })
}
const plain = await Embedder.load(model, options)
const adapted = await Embedder.load(model, { ...options, adapter })
const some = texts(Number(values.texts), Number(values.length) - 1, 3)

async function seconds(embedder) {
  const from = process.cpuUsage()
  await embedder.embed(some)
  const { user, system } = process.cpuUsage(from)
  return (user + system) / 1e6
}

const rounds = []
await seconds(plain)
await seconds(adapted)
for (let round = 0; round < Number(values.rounds); round++) {
  const without = round % 2 ? undefined : await seconds(plain)
  const given = await seconds(adapted)
  rounds.push({ given, without: without ?? (await seconds(plain)) })
}
const ratios = rounds.map(({ given, without }) => given / without)
const [low, high] = [0.25, 0.75].map((at) => quantile(ratios, at).toFixed(3))
console.log(
  `${embeddedTokens()} tokens: ${median(rounds.map(({ without }) => without)).toFixed(3)} s without, ` +
    `${median(rounds.map(({ given }) => given)).toFixed(3)} s with it; ratio ${median(ratios).toFixed(3)} (half within ${low} to ${high})`,
)
await Promise.all([plain.close(), adapted.close()])

function embeddedTokens() {
  return some.length * Number(values.length)
}
