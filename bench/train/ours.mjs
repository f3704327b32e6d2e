// A training that takes a step whenever a line comes in, and says how long it took.
import { mkdtempSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { train } from 'qwen3-embed/train'
import { texts } from '../texts.mjs'

const { model, batch, pack, length, threads, rounds } = JSON.parse(process.argv[2])
const folder = mkdtempSync(join(tmpdir(), 'bench-train-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

// One more than is asked for, and so many that no epoch ends meanwhile: the end of one is no step.
const steps = rounds + 3
// Longer than they will be: each is cut to its length. Nothing is shared, so that rows are tokens.
const of = (seed) => texts(batch * steps, length + 32, seed)
const [queries, positives, some, others] = [of(1), of(2), of(3), of(4)]
const data = queries.map((query, i) => ({
  query,
  positive: positives[i],
  negatives: [some[i], others[i]],
}))

let from, used
const wait = () => {
  const byte = Buffer.alloc(1)
  while (byte[0] !== 10) if (readSync(0, byte) === 0) process.exit(0)
  from = performance.now()
  used = process.cpuUsage()
}

let isFirst = true
await train({
  model,
  data,
  output: join(folder, 'adapter.gguf'),
  instruction: '',
  rank: 16,
  batch,
  budget: pack,
  epochs: 1,
  maxTokens: length,
  threads,
  onProgress: ({ phase }) => {
    if (phase !== 'train') return
    const seconds = (performance.now() - from) / 1000
    const { user, system } = process.cpuUsage(used)
    if (isFirst) {
      // The one before the first line: loading ends with it.
      isFirst = false
      writeSync(1, 'ready\n')
    } else {
      writeSync(1, `${seconds} ${(user + system) / 1e6}\n`)
    }
    wait()
  },
})
