import { Worker } from 'node:worker_threads'
import { Embedder } from 'qwen3-embed'
import { describe, expect, it } from 'vitest'

const entry = new URL('../dist/index.js', import.meta.url).href

function embedInWorker(text: string): Promise<Float32Array> {
  const code = `
    import(${JSON.stringify(entry)}).then(async ({ Embedder }) => {
      const embedder = await Embedder.load('mini')
      const vector = await embedder.embedQuery(${JSON.stringify(text)})
      await embedder.close()
      require('node:worker_threads').parentPort.postMessage(vector.slice())
    })`
  return new Promise((resolve, reject) => {
    const worker = new Worker(code, { eval: true, execArgv: [] })
    worker.on('message', resolve)
    worker.on('error', reject)
  })
}

describe('worker threads', () => {
  it('hold models of their own, and agree with the main thread', async () => {
    await using embedder = await Embedder.load('mini')
    const [here, ...there] = await Promise.all([
      embedder.embedQuery('one text'),
      embedInWorker('one text'),
      embedInWorker('one text'),
    ])
    for (const vector of there) expect(vector).toEqual(here)
  })
})
