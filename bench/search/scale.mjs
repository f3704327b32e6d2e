// A folder of many files: how fast words and meaning are there, what a second run and a question cost.
//   node bench/search/scale.mjs OUT FILES [WORDS_A_FILE] [vectors]
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Index } from 'qwen3-embed/search'

const [out, count = '50000', size = '150', how] = process.argv.slice(2)
const folder = join(out, `files-${count}-${size}`)
let state = 1
const random = () => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  return state / 2 ** 32
}
const vocabulary = Array.from({ length: 20_000 }, () => {
  const syllables = Array.from(
    { length: 2 + Math.floor(3 * random()) },
    () => 'bcdfglmnprstv'[Math.floor(13 * random())] + 'aeiou'[Math.floor(5 * random())],
  )
  return syllables.join('')
})
// Frequent words are frequent, as in any language.
const word = () => vocabulary[Math.floor(vocabulary.length * random() ** 3)]
if (!statSync(folder, { throwIfNoEntry: false })) {
  for (let i = 0; i < Number(count); i++) {
    const place = join(folder, `${i % 500}`)
    if (i < 500) mkdirSync(place, { recursive: true })
    const sentences = Array.from(
      { length: Math.ceil(Number(size) / 15) },
      () => `${Array.from({ length: 15 }, word).join(' ')}.`,
    )
    writeFileSync(join(place, `${i}.md`), `# ${word()} ${word()}\n\n${sentences.join('\n\n')}\n`)
  }
}
const path = join(out, 'scale.index')
for (const suffix of ['', '-wal', '-shm', '.lock']) rmSync(`${path}${suffix}`, { force: true })
const index = await Index.open(path, { standIn: null })
await index.addRoot(folder)
const timed = async (what, work) => {
  const [begun, cpu] = [performance.now(), process.cpuUsage()]
  const result = await work()
  const { user, system } = process.cpuUsage(cpu)
  console.log(
    `${what}: ${((performance.now() - begun) / 1000).toFixed(2)} s, ${((user + system) / 1e6).toFixed(2)} s of CPU`,
  )
  return result
}
const words = await timed('words', () => index.update({ vectors: false }))
console.log(words)
await timed('nothing changed', () => index.update({ vectors: false }))
if (how) await timed('vectors', () => index.update())
const { passages, bytes } = await index.status()
console.log(
  `${passages} passages, ${(bytes / 1e6).toFixed(0)} MB, process ${(process.memoryUsage().rss / 1e6).toFixed(0)} MB`,
)
const times = []
for (let i = 0; i < 60; i++) {
  const question = Array.from({ length: 8 }, word).join(' ')
  const { took } = await index.search(question)
  times.push(took.search + took.embed)
}
times.sort((a, b) => a - b)
console.log(`question p50 ${times[30].toFixed(1)} ms, p95 ${times[57].toFixed(1)} ms`)
await timed('check', async () => console.log(await index.check()))
await index.close()
