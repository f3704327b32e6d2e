import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Embedder } from 'qwen3-embed'
import { Index } from 'qwen3-embed/search'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

// SEARCH_KILLS=100 is the run that docs/search.md tells of.
const kills = Number(process.env.SEARCH_KILLS ?? 5)
const command = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
const base = mkdtempSync(join(tmpdir(), 'search-processes-'))
const folder = join(base, 'files')
const env = { ...process.env, QWEN3_EMBED_DATA: join(base, 'data') }
let embedder: Embedder

const words =
  'harbour lantern orchard violin glacier meadow compass thunder velvet copper saffron walrus'.split(
    ' ',
  )

beforeAll(async () => {
  embedder = await Embedder.load('mini')
  const next = random(7)
  mkdirSync(folder, { recursive: true })
  for (let i = 0; i < 80; i++) {
    const sentences = Array.from({ length: 3 + Math.floor(20 * next()) }, () =>
      Array.from({ length: 12 }, () => words[Math.floor(words.length * next())]).join(' '),
    )
    writeFileSync(join(folder, `${i}.md`), `# Note ${i}\n\n${sentences.join('.\n\n')}.\n`)
  }
  // Times that are settled: an undisturbed run reads each file once.
  await sleep(100)
})
afterAll(async () => {
  await embedder.close()
  rmSync(base, { recursive: true, force: true })
})

function started(...args: string[]): ChildProcess {
  return spawn(process.execPath, [command, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: base,
  })
}

async function ended(
  child: ChildProcess,
): Promise<{ code: number | null; out: string; err: string }> {
  let [out, err] = ['', '']
  child.stdout!.on('data', (data) => {
    out += data
  })
  child.stderr!.on('data', (data) => {
    err += data
  })
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code, out, err }
}

/** Numbers from 0 to 1, the same for the same seed. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

async function digestOf(path: string): Promise<string> {
  await using index = await Index.open(path, { readOnly: true, embedder, standIn: null })
  expect(await index.check()).toEqual([])
  return index.digest()
}

describe('kill -9', () => {
  it(`loses nothing that was finished: ${kills} times while it indexes`, {
    timeout: 60_000 + 20_000 * kills,
  }, async () => {
    const whole = join(base, 'whole.index')
    expect(
      await ended(started('index', '-m', 'mini', folder, '--name', whole, '-q')),
    ).toMatchObject({ code: 0 })
    const expected = await digestOf(whole)
    const next = random(11)
    const path = join(base, 'killed.index')
    let done = 0
    let passages = 0
    while (done < kills) {
      const child = started('index', '-m', 'mini', folder, '--name', path, '-q')
      const end = ended(child)
      // A random moment of its run; the first file that it makes included.
      const finished = await Promise.race([
        end.then(() => true),
        sleep(200 + 1_000 * next()).then(() => false),
      ])
      if (finished) {
        expect(await digestOf(path)).toBe(expected)
        for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
        passages = 0
        continue
      }
      child.kill('SIGKILL')
      await end
      done++
      if (!existsSync(path)) continue
      await using index = await Index.open(path, { embedder, standIn: null })
      const status = await index.status()
      expect(await index.check()).toEqual([])
      // What was committed before is there.
      expect(status.passages).toBeGreaterThanOrEqual(passages)
      passages = status.passages
    }
    expect(await ended(started('index', '-m', 'mini', folder, '--name', path, '-q'))).toMatchObject(
      { code: 0 },
    )
    expect(await digestOf(path)).toBe(expected)
  })
})

describe('several processes', () => {
  it('index in turn while others search, and nobody is refused', async () => {
    const path = join(base, 'shared.index')
    const indexers = [
      started('index', '-m', 'mini', folder, '--name', path, '-q'),
      started('index', '-m', 'mini', folder, '--name', path, '-q'),
    ]
    const ends = indexers.map(ended)
    while (!existsSync(path)) await sleep(20)
    let isOver = false
    const all = Promise.all(ends).then((results) => {
      isOver = true
      return results
    })
    const readers = Array.from({ length: 4 }, async () => {
      let answers = 0
      let most = 0
      await using index = await Index.open(path, { readOnly: true, embedder, standIn: null })
      while (!isOver) {
        const { hits } = await index.search('harbour lantern in the meadow', { limit: 5 })
        most = Math.max(most, hits.length)
        answers++
        await sleep(5)
      }
      return { answers, most }
    })
    const results = await all
    expect(results.map(({ code, err }) => [code, err])).toEqual([
      [0, ''],
      [0, ''],
    ])
    for (const { answers, most } of await Promise.all(readers)) {
      expect(answers).toBeGreaterThan(3)
      expect(most).toBe(5)
    }
    expect(await digestOf(path)).toBe(await digestOf(join(base, 'whole.index')))
  })

  it('say who is at it, where they are told not to wait', async () => {
    const path = join(base, 'busy.index')
    await using index = await Index.open(path, { embedder, standIn: null })
    await index.addRoot(folder)
    await using other = await Index.open(path, { embedder, standIn: null })
    const first = index.update()
    await sleep(50)
    await expect(other.update({ wait: false })).rejects.toMatchObject({ code: 'ERR_INDEX_BUSY' })
    await first
    expect(await other.update({ wait: false })).toMatchObject({ read: 0 })
  })

  it('see each change of a watched folder', async () => {
    const watched = join(base, 'watched')
    mkdirSync(watched)
    writeFileSync(join(watched, 'a.txt'), 'the first note')
    const path = join(base, 'watch.index')
    const child = started('index', watched, '--name', path, '--watch')
    const end = ended(child)
    await using index = await found(path, 'first')
    writeFileSync(join(watched, 'b.txt'), 'a pomegranate')
    const began = performance.now()
    while ((await index.search('pomegranate', { alpha: 0 })).hits.length === 0) {
      if (performance.now() - began > 40_000) throw new Error('The change was not seen')
      await sleep(50)
    }
    child.kill('SIGINT')
    expect((await end).code).toBe(130)
  })
})

async function found(path: string, word: string): Promise<Index> {
  while (!existsSync(path)) await sleep(20)
  for (;;) {
    try {
      const index = await Index.open(path, { readOnly: true, embedder, standIn: null })
      while ((await index.search(word, { alpha: 0 })).hits.length === 0) await sleep(50)
      return index
    } catch (error) {
      // It is being made.
      if (!/ERR_INDEX/.test((error as { code?: string }).code ?? '')) throw error
      await sleep(20)
    }
  }
}
