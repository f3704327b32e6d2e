import { Worker } from 'node:worker_threads'
import { Embedder } from 'qwen3-embed'
import { describe, expect, it } from 'vitest'
import { fixture } from './fixtures/models.ts'

const megabytes = (n: number) =>
  'some words, of which a text has 8 000 000 letters. '.repeat(20_000 * n)
const entry = new URL('../dist/index.js', import.meta.url).href

describe.each(['bulk', 'interactive'] as const)('a text of 8 MB, %s,', (kind) => {
  const send = (embedder: Embedder, text: string, options: object) =>
    kind === 'bulk' ? embedder.embedDocuments([text], options) : embedder.embedQuery(text, options)

  // Our own tokenizer, and llama.cpp's.
  it.each(['embed', 'minilm'] as const)(
    'that is cut does not hold up queries: %s',
    async (name) => {
      await using embedder = await Embedder.load(fixture(name), { threads: 1 })
      const settled: string[] = []
      const long = send(embedder, megabytes(8), { truncate: 'end' }).then(() =>
        settled.push('long'),
      )
      for (let i = 0; i < 3; i++) {
        await embedder.embedQuery(`a query ${i}`)
        settled.push('query')
      }
      await long
      expect(settled).toEqual(['query', 'query', 'query', 'long'])
    },
  )

  it('that is too long is refused before it is read to its end', async () => {
    await using embedder = await Embedder.load(fixture('embed'), { threads: 1 })
    const error = await send(embedder, megabytes(8), {}).then(
      () => undefined,
      (reason) => reason,
    )
    expect(error).toMatchObject({ code: 'ERR_TEXT_TOO_LONG' })
    expect(error.message).toContain('more than')
    // Where the whole text has some millions.
    expect(error.facts.tokens).toBeLessThan(200_000)
  })

  it('that is aborted leaves at once', async () => {
    await using embedder = await Embedder.load(fixture('embed'), { threads: 1 })
    const stays = embedder.embedDocuments([megabytes(8)], { truncate: 'end' })
    const settled: string[] = []
    void stays.then(() => settled.push('stays'))
    const controller = new AbortController()
    const leaves = send(embedder, megabytes(8), { truncate: 'end', signal: controller.signal })
    leaves.catch(() => {})
    await embedder.embedQuery('both are being read')
    controller.abort()
    await expect(leaves).rejects.toMatchObject({ name: 'AbortError' })
    // Nothing of it waits any more; the other is still being read.
    while (embedder.stats.waiting > 1) await new Promise(setImmediate)
    expect(settled).toEqual([])
    await stays
  })
})

describe('a worker with a text of 20 MB', () => {
  it('is terminated before the text is read', async () => {
    const code = `
      import(${JSON.stringify(entry)}).then(async ({ Embedder }) => {
        const { parentPort } = require('node:worker_threads')
        const embedder = await Embedder.load(${JSON.stringify(fixture('embed'))}, { threads: 1 })
        const text = 'some words, of which a text has 8 000 000 letters. '.repeat(400_000)
        embedder.embedDocuments([text], { truncate: 'end' }).then(() => parentPort.postMessage('read'))
        await embedder.embedQuery('it is being read')
        parentPort.postMessage('reading')
      })`
    const worker = new Worker(code, { eval: true, execArgv: [] })
    const messages: string[] = []
    await new Promise<void>((resolve, reject) => {
      worker.on('error', reject)
      worker.on('message', (message) => {
        messages.push(message)
        resolve()
      })
    })
    await worker.terminate()
    expect(messages).toEqual(['reading'])
  })
})
