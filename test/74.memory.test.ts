import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { inspect } from 'qwen3-embed'
import { expect, it } from 'vitest'
import { estimateMemory } from '../lib/cli/memory.ts'
import { fixture } from './fixtures/models.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Peak memory of a process that embeds one text of so many words, in bytes, and its tokens. */
function measured(path: string, words: number): { tokens: number; peak: number } {
  const script = `
    import { Embedder } from 'qwen3-embed'
    const embedder = await Embedder.load(${JSON.stringify(path)}, { threads: 1 })
    const [{ tokens, error }] = await embedder.embedEach(['a '.repeat(${words})])
    if (error) throw error
    console.log(JSON.stringify({ tokens, peak: process.resourceUsage().maxRSS * 1024 }))`
  const args = ['--input-type=module', '--eval', script]
  return JSON.parse(execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' }))
}

it('memory grows with a text as it is estimated', async () => {
  const path = fixture('embed-long')
  const [short, long] = [measured(path, 4_000), measured(path, 30_000)]
  const info = await inspect(path)
  const of = (tokens: number) => estimateMemory(info, tokens).activations
  const ratio = (long.peak - short.peak) / (of(long.tokens) - of(short.tokens))
  // What Node and the allocator keep besides is not estimated.
  expect(ratio).toBeGreaterThan(0.67)
  expect(ratio).toBeLessThan(1.5)
}, 240_000)
