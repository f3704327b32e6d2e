// What merging needs of a machine: its memory, and what a kill leaves behind.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type MergeOptions, merge } from '../dist/merge/index.js'
import { type Qwen3Options, writeQwen3 } from './fixtures/qwen3-model.ts'

const folder = mkdtempSync(join(tmpdir(), 'merge-processes-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string) => join(folder, name)
const script = fileURLToPath(new URL('fixtures/merge/child.mjs', import.meta.url))

const child = (options: MergeOptions) =>
  spawn(process.execPath, [script, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })

/** Megabytes that a process had at most while it merged. */
async function peakOf(models: string[], more: Partial<MergeOptions>): Promise<number> {
  const process = child({ models, output: at('out.gguf'), to: 'f32', ...more })
  let printed = ''
  for await (const some of process.stdout) printed += some
  expect(printed).not.toBe('')
  return Number(printed) / 1024
}

/** Two models of one shape. */
function pair(name: string, shape: Qwen3Options): string[] {
  return [1, 2].map((seed) => {
    const path = at(`${name}-${seed}.gguf`)
    writeQwen3(path, { ...shape, seed })
    return path
  })
}

const megabytes = (path: string) => statSync(path).size / 2 ** 20
const layer: Qwen3Options = { hidden: 256, heads: 4, kvHeads: 2, headDim: 64, ffn: 1024 }
let many: string[]
beforeAll(() => {
  many = pair('many', { ...layer, layers: 24 })
}, 120_000)

it('needs no more memory for more tensors', async () => {
  const few = pair('few', { ...layer, layers: 2 })
  expect(megabytes(many[0]!) - megabytes(few[0]!)).toBeGreaterThan(80)
  expect((await peakOf(many, {})) - (await peakOf(few, {}))).toBeLessThan(20)
}, 120_000)

it('keeps no tensor whole, of any method', async () => {
  // Its embeddings: 37 MB.
  const models = pair('tall', { hidden: 64, layers: 1, vocabulary: 'full' })
  const least = await peakOf(models, { method: 'linear' })
  for (const method of ['ties', 'multi-slerp'] as const)
    expect((await peakOf(models, { method })) - least).toBeLessThan(15)
}, 120_000)

it('leaves nothing under its name when it is killed, and merges the next time', async () => {
  const output = at('killed.gguf')
  const options = { models: many, output, to: 'f32' } as const
  for (const size of [0, 20, 60]) {
    const process = child(options)
    const ended = new Promise((resolve) => process.once('exit', (_, signal) => resolve(signal)))
    const timer = setInterval(() => {
      const draft = `${output}.writing`
      if (existsSync(draft) && megabytes(draft) >= size) process.kill('SIGKILL')
    }, 2)
    expect(await ended).toBe('SIGKILL')
    clearInterval(timer)
    expect(existsSync(output)).toBe(false)
  }
  await merge(options)
  await merge({ ...options, output: at('undisturbed.gguf') })
  expect(readFileSync(output).equals(readFileSync(at('undisturbed.gguf')))).toBe(true)
  expect(readdirSync(folder).filter((name) => name.includes('writing'))).toEqual([])
}, 120_000)
