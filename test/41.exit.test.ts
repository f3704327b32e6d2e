import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Runs a module in a process of its own; it must end by itself, without a signal. */
async function exitOf(
  body: string,
): Promise<{ code: number | null; signal: string | null; output: string }> {
  const script = `import { Embedder } from 'qwen3-embed'\nimport { Worker } from 'node:worker_threads'\n${body}`
  const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '--eval', script], {
    cwd: root,
  })
  let output = ''
  child.stdout.on('data', (data) => (output += data))
  child.stderr.on('data', (data) => (output += data))
  const timer = setTimeout(() => child.kill('SIGKILL'), 30_000)
  return new Promise((resolve) => {
    child.on('exit', (code, signal) => {
      clearTimeout(timer)
      resolve({ code, signal, output })
    })
  })
}

const texts = `const texts = Array.from({ length: 20000 }, (_, i) => 'passage ' + i)`
const inWorker = (body: string) =>
  `new Worker(${JSON.stringify(`import('qwen3-embed').then(async ({ Embedder }) => { ${texts}; ${body} })`)}, { eval: true })`

describe('a process ends by itself', () => {
  it.each([
    ['idle with a model open', `await Embedder.load('mini')`],
    [
      'after closing',
      `const e = await Embedder.load('mini'); await e.embedQuery('x'); await e.close()`,
    ],
    [
      'while loading, by process.exit',
      `Embedder.load('mini'); setTimeout(() => process.exit(0), 5)`,
    ],
    [
      'while busy, by process.exit',
      `${texts}; const e = await Embedder.load('mini'); e.embedDocuments(texts); setTimeout(() => process.exit(0), 50)`,
    ],
    [
      'while closing, by process.exit',
      `${texts}; const e = await Embedder.load('mini'); e.embedDocuments(texts); e.close(); setTimeout(() => process.exit(0), 20)`,
    ],
    [
      'with a worker terminated while loading',
      `for (let ms = 30; ms < 100; ms += 3) {
        const w = ${inWorker(`Embedder.load('mini', { onProgress() {} })`)}
        await new Promise((resolve) => setTimeout(resolve, ms))
        await w.terminate()
      }`,
    ],
    [
      'with a worker terminated while busy',
      `const w = ${inWorker(`const e = await Embedder.load('mini'); e.embedDocuments(texts)`)}; setTimeout(() => w.terminate(), 400)`,
    ],
    [
      'with models dropped and collected',
      `let collected = 0
       const registry = new FinalizationRegistry(() => collected++)
       for (let i = 0; i < 5; i++) await (async () => {
         const e = await Embedder.load('mini'); registry.register(e, i); e.embedQuery('x').catch(() => {})
       })()
       for (let i = 0; i < 200 && collected < 4; i++) { gc(); await new Promise((r) => setTimeout(r, 20)) }
       if (collected < 4) console.log('only', collected, 'were collected')`,
    ],
  ])('%s', async (_, body) => {
    const { code, signal, output } = await exitOf(body)
    expect({ code, signal, output }).toEqual({ code: 0, signal: null, output: '' })
  })
})
