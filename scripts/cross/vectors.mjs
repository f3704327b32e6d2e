// Run by the other machine's Node, and by this one's: vectors of the bundled model, into a file.
//   node vectors.mjs <index.js of the package> <file> <cases as JSON>
import { writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const [index, file, cases] = process.argv.slice(2)
const { Embedder } = await import(pathToFileURL(index).href)
const texts = [
  'Berlin is the capital of Germany.',
  'a query',
  '',
  'Bees carry pollen, ein Märchen 日本',
]
const report = { node: process.version, arch: process.arch, platform: process.platform, cases: [] }
try {
  for (const { kernels, engine } of JSON.parse(cases)) {
    const embedder = await Embedder.load('mini', { kernels, engine, threads: 1 })
    const vectors = await embedder.embed(texts)
    report.cases.push({
      kernels: embedder.info.kernels,
      vectors: vectors.map((v) => Array.from(v)),
    })
    await embedder.close()
  }
} catch (error) {
  report.error = `${error.stack}\n${error.cause ?? ''}`
}
writeFileSync(file, JSON.stringify(report))
process.exit()
