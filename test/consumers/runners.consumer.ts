// Test runners that give each file a realm of its own.
import { expect, it } from 'vitest'
import { Project } from './project.ts'

const body = (globals: string) => `
${globals}
test('a model in another realm', async () => {
  const { Embedder, Qwen3Error } = await import('qwen3-embed')
  const embedder = await Embedder.load('mini')
  const vectors = await embedder.embedDocuments(['a', 'b'])
  expect(vectors[0]).toBeInstanceOf(Float32Array)
  const [rows] = await embedder.embed(['a'], { pooling: 'none' })
  expect(rows.length % embedder.dimensions).toBe(0)
  expect(await embedder.embed([Int32Array.of(1, 2)])).toHaveLength(1)
  await expect(embedder.embedDocuments(['word '.repeat(20000)], { signal: new AbortController().signal }))
    .rejects.toMatchObject({ code: 'ERR_TEXT_TOO_LONG', remedy: expect.stringContaining('Shorten') })
  await embedder.embedDocuments(['word '.repeat(20000)]).catch((error) => {
    expect(error instanceof Qwen3Error).toBe(true)
    expect(error instanceof Error).toBe(true)
  })
  await expect(Embedder.load('/nowhere.gguf')).rejects.toBeInstanceOf(Qwen3Error)
  await embedder.close()
}, 60000)`

it('Jest', () => {
  const project = new Project({
    'package.json': '{ "type": "module", "jest": { "testEnvironment": "node", "transform": {} } }',
    'model.test.js': body(''),
  })
  project.run(process.execPath, [
    '--experimental-vm-modules',
    'node_modules/jest/bin/jest.js',
    '--ci',
  ])
})

it.each(['vmThreads', 'vmForks'])('vitest, pool %s', (pool) => {
  const project = new Project({
    'package.json': '{ "type": "module" }',
    'model.test.js': body(`import { expect, test } from 'vitest'`),
  })
  expect(project.bin('vitest', 'run', '--pool', pool)).toMatch(/1 passed/)
})
