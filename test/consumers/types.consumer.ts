// What a compiler makes of the package, in every way there is to resolve it; and what the two linters of packages say.
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { here, Project } from './project.ts'

const consumer = `
import { chunk, Embedder, type EmbeddedText, type OnProgress, type Progress, Qwen3Error, Reranker, search, type Transfer } from 'qwen3-embed'
const texts: readonly string[] = ['a', 'b']
const maybe: number | undefined = undefined
const onProgress: OnProgress = ({ phase, done, total, unit, rate, eta }: Progress) => { void [phase, done, total, unit, rate, eta] }
export async function all(signal: AbortSignal | undefined): Promise<number> {
  const embedder = await Embedder.load('mini', { maxTokens: maybe, onProgress, download: { transfer: { retries: maybe } } })
  const vectors: Float32Array[] = await embedder.embedDocuments(texts, { dimensions: maybe, signal, instruction: undefined })
  await embedder.embedQueries(texts)
  const counts: number[] = await embedder.countTokens(texts)
  const each: EmbeddedText[] = await embedder.embedEach(texts)
  let length = counts.length
  for (const one of each) {
    // The union tells: no error, a vector.
    if (one.error) length += one.error.facts.index === 0 ? 1 : one.error.remedy.length
    else length += one.vector.length
  }
  const reranker = await Reranker.load('x')
  await reranker.rank('q', texts, { topN: maybe })
  await reranker.score([['q', 'd']] as const)
  const passages = await chunk('text', embedder, { maxTokens: maybe })
  const [best] = search(vectors[0]!, vectors, 1)
  try { await embedder.close() } catch (error) { if (error instanceof Qwen3Error) length += error.code.length }
  const transfer: Partial<Transfer> = {}
  return length + passages.length + best!.score + Object.keys(transfer).length
}
// @ts-expect-error a text is a string
export const wrong = (embedder: Embedder) => embedder.embedDocuments([1])
`
const server = `
import { createHandler, type HandlerOptions, serve } from 'qwen3-embed/server'
export const options: HandlerOptions = { models: {}, keys: undefined, limits: { batch: undefined } }
export const both = [createHandler, serve]
`

const ways = [
  ['nodenext', 'nodenext', '.mts'],
  ['nodenext', 'nodenext', '.cts'],
  ['node16', 'node16', '.mts'],
  ['esnext', 'bundler', '.ts'],
  ['commonjs', 'node10', '.ts'],
] as const

describe.each([
  ['typescript-5', join(here, 'node_modules', 'typescript-5', 'bin', 'tsc')],
  ['typescript', join(here, '..', '..', 'node_modules', 'typescript', 'bin', 'tsc')],
])('%s', (name, tsc) => {
  const all = ways.filter(([, resolution]) => name === 'typescript-5' || resolution !== 'node10')
  it.each(all)('module %s, resolution %s, %s', (module, moduleResolution, ending) => {
    const project = new Project({
      'package.json': '{ "private": true }',
      [`consumer${ending}`]: consumer,
      [`server${ending}`]: server,
      'tsconfig.json': JSON.stringify({
        compilerOptions: {
          module,
          moduleResolution,
          target: 'es2022',
          lib: ['es2023', 'dom'],
          strict: true,
          exactOptionalPropertyTypes: true,
          skipLibCheck: false,
          noEmit: true,
          types: ['node'],
        },
        include: ['*.ts', '*.mts', '*.cts'],
      }),
    })
    expect(project.node(tsc, '-p', 'tsconfig.json')).toBe('')
  })

  it('needs no @types/node for the main entry, and no lib for disposal', () => {
    const project = new Project({
      'package.json': '{ "private": true, "type": "module" }',
      'consumer.ts': consumer,
      'tsconfig.json': JSON.stringify({
        compilerOptions: {
          module: 'esnext',
          moduleResolution: 'bundler',
          target: 'es2022',
          lib: ['es2022', 'dom'],
          strict: true,
          skipLibCheck: false,
          noEmit: true,
          types: [],
        },
      }),
    })
    expect(project.node(tsc, '-p', 'tsconfig.json')).toBe('')
  })
})

describe('the tarball', () => {
  const tarball = process.env.PACKED_TARBALL!

  it('has nothing that publint warns of', () => {
    const output = new Project({}).bin('publint', '--strict', tarball)
    expect(output).toMatch(/All good/)
  })

  it('is seen alike by every resolution (attw)', () => {
    // Node loads ES modules by require() from 20.19 and 22.12 on, which is what this rule does not know.
    const rules = [
      '--ignore-rules',
      'cjs-resolves-to-esm',
      '--exclude-entrypoints',
      './package.json',
    ]
    expect(new Project({}).bin('attw', tarball, ...rules)).toMatch(/No problems found/)
  })
})
