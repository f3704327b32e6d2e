// Memory given back and taken again: idle models, models in one budget, models exchanged while they work.
import { execFile, execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createPool, Embedder, Reranker } from 'qwen3-embed'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fixture } from './fixtures/models.ts'
import { isGone } from './fixtures/processes.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const texts = Array.from({ length: 200 }, (_, i) => `passage ${i} about this and that`)

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'qwen3-embed-returned-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A model file of one's own, put there whole. */
function placed(name: string, from: string): string {
  const path = join(folder, name)
  copyFileSync(from, `${path}.new`)
  renameSync(`${path}.new`, path)
  return path
}

describe.each([false, 'process'] as const)('isolation %s', (isolation) => {
  it('an idle model gives its memory back, and the next call gets the same vectors', async () => {
    await using embedder = await Embedder.load('mini', { isolation, idleMs: 40 })
    const pid = embedder.stats.process?.pid
    const [first, { tokens }] = [await embedder.embedQuery('a query'), embedder.stats]
    expect(embedder.isLoaded).toBe(true)
    await expect.poll(() => embedder.isLoaded, { timeout: 5000 }).toBe(false)
    if (pid) expect(await isGone(pid)).toBe(true)
    expect(embedder.stats.tokens).toBe(tokens)
    expect(embedder.dimensions).toBe(256)
    expect(await embedder.embedQuery('a query')).toEqual(first)
    expect(embedder.stats.tokens).toBe(2 * tokens)
  })

  it('unload waits for the calls that run', async () => {
    await using embedder = await Embedder.load('mini', { isolation })
    const before = await embedder.embedDocuments(texts)
    const running = embedder.embedDocuments(texts)
    await embedder.unload()
    expect(embedder.isLoaded).toBe(false)
    expect(await running).toEqual(before)
    const [again, twice] = await Promise.all([
      embedder.embedDocuments(texts),
      embedder.embedDocuments(texts),
      embedder.warm(),
    ])
    expect(again).toEqual(before)
    expect(twice).toEqual(before)
    await embedder.unload()
    await embedder.close()
    await expect(embedder.embedQuery('late')).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  })

  it('a call that is aborted while it waits for the model ends at once', async () => {
    await using embedder = await Embedder.load('mini', { isolation })
    await embedder.unload()
    const call = embedder.embedQuery('x', { signal: AbortSignal.timeout(1) })
    const other = embedder.embedQuery('x')
    await expect(call).rejects.toMatchObject({ name: 'TimeoutError' })
    expect(await other).toHaveLength(256)
  })

  it('reload exchanges the file between calls: each is of one or the other', async () => {
    await using old = await Embedder.load(fixture('embed'))
    await using other = await Embedder.load(fixture('embed-other'))
    const [expectedOld, expectedNew] = [
      await old.embedDocuments(texts),
      await other.embedDocuments(texts),
    ]
    const path = placed(`live-${isolation}.gguf`, fixture('embed'))
    await using live = await Embedder.load(path, { isolation })
    const calls: Promise<Float32Array[]>[] = []
    const timer = setInterval(() => calls.push(live.embedDocuments(texts)), 15)
    await wait(60)
    placed(`live-${isolation}.gguf`, fixture('embed-other'))
    await live.reload()
    expect(live.info.fingerprint).toBe(other.info.fingerprint)
    expect(live.info.fingerprint).not.toBe(old.info.fingerprint)
    await wait(60)
    clearInterval(timer)
    let [before, after] = [0, 0]
    for (const vectors of await Promise.all(calls)) {
      const isOld = vectors[0]!.every((x, i) => x === expectedOld[0]![i])
      expect(vectors).toEqual(isOld ? expectedOld : expectedNew)
      if (isOld) before++
      else after++
    }
    expect(before).toBeGreaterThan(0)
    expect(after).toBeGreaterThan(0)
    expect(await live.embedDocuments(texts)).toEqual(expectedNew)
  })

  it('a reload that fails leaves the model as it was', async () => {
    await using embedder = await Embedder.load(fixture('embed'), { isolation })
    const before = await embedder.embedQuery('x')
    for (const [name, code] of [
      [fixture('embed-wide'), 'ERR_MODEL_MISMATCH'],
      [fixture('rerank'), 'ERR_MODEL_MISMATCH'],
      ['/nowhere/model.gguf', 'ERR_MODEL_NOT_FOUND'],
    ] as const) {
      await expect(embedder.reload(name)).rejects.toMatchObject({ code })
    }
    expect(await embedder.embedQuery('x')).toEqual(before)
  })

  it('a file that was exchanged unasked is refused', async () => {
    const path = placed(`changed-${isolation}.gguf`, fixture('embed'))
    await using embedder = await Embedder.load(path, { isolation })
    await embedder.unload()
    placed(`changed-${isolation}.gguf`, fixture('embed-other'))
    await expect(embedder.embedQuery('x')).rejects.toMatchObject({ code: 'ERR_MODEL_CHANGED' })
    await embedder.reload()
    expect(await embedder.embedQuery('x')).toHaveLength(embedder.dimensions)
  })
})

describe('a pool', () => {
  const names = ['embed', 'embed-other', 'embed-q8_0'] as const

  it.each([
    ['models', { maxLoaded: 1 }],
    ['bytes', { maxMemory: 16 << 20 }],
  ] as const)('keeps to its %s under mixed traffic', async (_, limits) => {
    const pool = createPool(limits)
    const alone = await Promise.all(names.map((name) => Embedder.load(fixture(name))))
    const expected = await Promise.all(alone.map((one) => one.embedQuery('x')))
    await Promise.all(alone.map((one) => one.close()))
    const models: Embedder[] = []
    for (const name of names) models.push(await Embedder.load(fixture(name), { pool }))
    const ranker = await Reranker.load(fixture('rerank'), { pool, isolation: 'process' })
    const most = Math.max(...models.map(({ info }) => info.bytes))
    let largest = 0
    const watch = setInterval(() => {
      largest = Math.max(largest, pool.loaded)
      expect(pool.memory).toBeLessThanOrEqual('maxMemory' in limits ? limits.maxMemory : most * 2)
    }, 1)
    const calls = Array.from({ length: 24 }, async (_, i) => {
      await wait(i * 7)
      if (i % 4 === 3) return ranker.score([['a', 'b']])
      expect(await models[i % 3]!.embedQuery('x')).toEqual(expected[i % 3])
      return undefined
    })
    await Promise.all(calls)
    clearInterval(watch)
    if ('maxLoaded' in limits) expect(largest).toBe(1)
    await Promise.all([...models, ranker].map((one) => one.close()))
    expect(pool.loaded).toBe(0)
  })

  it('refuses what can never fit, before it reads it', async () => {
    const pool = createPool({ maxMemory: 1000 })
    await expect(Embedder.load(fixture('embed'), { pool })).rejects.toMatchObject({
      code: 'ERR_OUT_OF_MEMORY',
      facts: { limit: 1000 },
    })
    expect(pool.loaded).toBe(0)
    expect(() => createPool({ maxLoaded: 0 })).toThrow(RangeError)
    expect(() => createPool({ maxModels: 1 } as never)).toThrow(/Known here: maxMemory, maxLoaded/)
    await expect(Embedder.load('mini', { pool: {} as never })).rejects.toThrow(/createPool/)
  })

  it('lets a load that waits for room be aborted', async () => {
    const pool = createPool({ maxLoaded: 1 })
    await using busy = await Embedder.load('mini', { pool })
    const running = busy.embedDocuments(Array(3000).fill('x y z '.repeat(20)))
    const load = Embedder.load(fixture('embed'), { pool, signal: AbortSignal.timeout(20) })
    await expect(load).rejects.toMatchObject({ name: 'TimeoutError' })
    expect(await running).toHaveLength(3000)
    expect(await busy.embedQuery('x')).toHaveLength(256)
  })
})

describe.runIf(process.platform === 'linux')('locked memory', () => {
  const script = (load: string) => `
    import { readFileSync } from 'node:fs'
    import { Embedder } from 'qwen3-embed'
    const embedder = await Embedder.load('mini', ${load}).catch((error) => {
      console.log(error.code, error.message)
      process.exit()
    })
    const kilobytes = () => Number(/VmLck:\\s*(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1])
    const loaded = kilobytes()
    await embedder.close()
    console.log(loaded, kilobytes())`

  it('holds the weights, and no more once it is closed', async () => {
    const run = async (load: string) => {
      const args = ['--input-type=module', '--eval', script(load)]
      const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root })
      return stdout.trim().split(' ').map(Number)
    }
    const [loaded, closed] = await run('{ lockMemory: true }')
    if (!Number.isFinite(loaded)) return // Not allowed here: the other test.
    expect(loaded).toBeGreaterThan(3000)
    expect(closed).toBe(0)
    expect(await run('{}')).toEqual([0, 0])
  })

  const hasTools = () => {
    try {
      execFileSync('prlimit', ['--version'])
      execFileSync('setpriv', ['--version'])
      return process.getuid?.() === 0
    } catch {
      return false
    }
  }
  it.runIf(hasTools())('names the limit that it meets', async () => {
    const args = [
      '--memlock=65536:65536',
      'setpriv',
      '--bounding-set=-ipc_lock',
      '--inh-caps=-ipc_lock',
    ]
    const node = [process.execPath, '--input-type=module', '--eval', script('{ lockMemory: true }')]
    const { stdout } = await promisify(execFile)('prlimit', [...args, ...node], { cwd: root })
    expect(stdout).toMatch(/^ERR_OUT_OF_MEMORY.*65536 bytes \(RLIMIT_MEMLOCK\).*ulimit -l/)
  })
})
