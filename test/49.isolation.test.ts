// A model in a process of its own: the same results, and nothing that happens there takes this process along.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { Embedder, Qwen3Error, Reranker } from 'qwen3-embed'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fixture } from './fixtures/models.ts'
import { children, descriptors, isAlive, isGone } from './fixtures/processes.ts'
import { storm } from './fixtures/storm.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const texts = Array.from({ length: 600 }, (_, i) => `passage ${i} about this and that, ${i % 7}`)
const isolation = 'process'

let here: Embedder
let apart: Embedder
beforeAll(async () => {
  here = await Embedder.load('mini')
  apart = await Embedder.load('mini', { isolation })
})
afterAll(() => Promise.all([here.close(), apart.close()]))

const pidOf = (model: Embedder | Reranker) => model.stats.process!.pid

describe('the same as in this process', () => {
  it('says where it computes', () => {
    expect(here.info.isolated).toBe(false)
    expect(here.stats.process).toBeUndefined()
    expect(apart.info.isolated).toBe(true)
    expect(pidOf(apart)).not.toBe(process.pid)
    expect({ ...apart.info, isolated: false }).toEqual(here.info)
  })

  it('vectors, to the bit, of many texts and of few', async () => {
    expect(await apart.embedQuery('a query')).toEqual(await here.embedQuery('a query'))
    expect(await apart.embedDocuments(texts)).toEqual(await here.embedDocuments(texts))
    const options = { dimensions: 64, instruction: 'Find it', normalize: false }
    expect(await apart.embed(['', 'x'], options)).toEqual(await here.embed(['', 'x'], options))
    expect(await apart.embed([])).toEqual([])
  })

  it('a row for each token, ids and texts', async () => {
    const few = texts.slice(0, 90)
    const rows = { pooling: 'none' } as const
    expect(await apart.embed(few, rows)).toEqual(await here.embed(few, rows))
    expect(await apart.countTokens(texts)).toEqual(await here.countTokens(texts))
    const ids = await apart.tokenize('Ein Märchen')
    expect(ids).toEqual(await here.tokenize('Ein Märchen'))
    expect(await apart.detokenize(ids)).toBe(await here.detokenize(ids))
    expect(await apart.embed([ids])).toEqual(await here.embed([ids]))
  })

  it('failures of single texts, at their own index', async () => {
    const load = { maxTokens: 32 }
    await using short = await Embedder.load('mini', load)
    await using shortApart = await Embedder.load('mini', { ...load, isolation })
    const mixed = texts.map((text, i) => (i % 199 === 7 ? 'word '.repeat(60) : text))
    const plain = (all: Awaited<ReturnType<Embedder['embedEach']>>) =>
      all.map(({ error, ...rest }) => ({ ...rest, error: error && [error.code, error.message] }))
    const found = await shortApart.embedEach(mixed)
    expect(plain(found)).toEqual(plain(await short.embedEach(mixed)))
    expect(found[206]!.error).toBeInstanceOf(Qwen3Error)
    await expect(shortApart.embedDocuments(mixed.slice(8))).rejects.toMatchObject({
      code: 'ERR_TEXT_TOO_LONG',
      facts: { index: expect.toSatisfy((i: number) => i % 199 === 198) },
    })
  })

  it('scores', async () => {
    await using ranker = await Reranker.load(fixture('rerank'))
    await using rankerApart = await Reranker.load(fixture('rerank'), { isolation })
    const documents = texts.slice(0, 40)
    expect(await rankerApart.rank('a query', documents)).toEqual(
      await ranker.rank('a query', documents),
    )
    const pairs = documents.map((text, i) => [`query ${i % 3}`, text] as const)
    expect(await rankerApart.scoreEach(pairs)).toEqual(await ranker.scoreEach(pairs))
  })

  it('progress, and what it throws', async () => {
    const done: number[] = []
    await apart.embedDocuments(texts, { onProgress: (told) => done.push(told.done) })
    expect(done.at(-1)).toBe(texts.length)
    expect(done).toEqual([...done].sort((a, b) => a - b))
    const reason = new Error('mine')
    const throws = () => {
      throw reason
    }
    await expect(apart.embedDocuments(texts, { onProgress: throws })).rejects.toBe(reason)
    await expect(Embedder.load(fixture('embed'), { isolation, onProgress: throws })).rejects.toBe(
      reason,
    )
  })

  it('aborts, and a full queue', async () => {
    const stop = new AbortController()
    const call = apart.embedDocuments([...texts, ...texts, ...texts], { signal: stop.signal })
    setTimeout(() => stop.abort(), 20)
    await expect(call).rejects.toMatchObject({ name: 'AbortError' })
    expect(await apart.embedQuery('alive')).toHaveLength(256)
    await using narrow = await Embedder.load('mini', { isolation, maxQueue: 10 })
    const first = narrow.embedDocuments(texts)
    await expect(narrow.embedDocuments(texts)).rejects.toMatchObject({
      code: 'ERR_QUEUE_FULL',
      facts: { limit: 10 },
    })
    expect(await first).toHaveLength(texts.length)
  })

  it('refusals of a load', async () => {
    await expect(Embedder.load(fixture('rerank'), { isolation })).rejects.toMatchObject({
      code: 'ERR_MODEL_MISMATCH',
    })
    const wrong = { isolation: 'thread' } as never
    await expect(Embedder.load('mini', wrong)).rejects.toThrow(/Expected false, 'process'/)
    const misspelt = { isolation: { maxRestart: 1 } } as never
    await expect(Embedder.load('mini', misspelt)).rejects.toThrow(/Did you mean maxRestarts/)
  })
})

describe('one process for equal loads', () => {
  it('which ends with the last of them', async () => {
    const load = { isolation, budget: 512 } as const
    const all = await Promise.all(Array.from({ length: 20 }, () => Embedder.load('mini', load)))
    const pids = new Set(all.map(pidOf))
    expect(pids.size).toBe(1)
    const [pid] = pids
    expect(pid).not.toBe(pidOf(apart))
    await all[0]!.close()
    await expect(all[0]!.embedQuery('late')).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    expect(await all[1]!.embedQuery('alive')).toHaveLength(256)
    const last = all[1]!.embedDocuments(texts)
    await Promise.all(all.map((one) => one.close()))
    expect(await last).toHaveLength(texts.length)
    expect(isAlive(pid!)).toBe(false)
  })
})

describe('a death', () => {
  it.each(['SIGKILL', 'SIGSEGV', 'SIGABRT'] as const)(
    'by %s in the middle of calls: they are run again',
    async (signal) => {
      const [pid, { restarts }] = [pidOf(apart), apart.stats.process!]
      const calls = [apart.embedDocuments(texts), apart.embedQuery('a query')]
      await wait(15)
      process.kill(pid, signal)
      const [documents, query] = await Promise.all(calls)
      expect(documents).toEqual(await here.embedDocuments(texts))
      expect(query).toEqual(await here.embedQuery('a query'))
      expect(pidOf(apart)).not.toBe(pid)
      expect(apart.stats.process!.restarts).toBe(restarts + 1)
    },
  )

  it('while idle: the next call finds another process', async () => {
    const pid = pidOf(apart)
    process.kill(pid, 'SIGKILL')
    expect(await isGone(pid)).toBe(true)
    expect(await apart.embedQuery('a query')).toEqual(await here.embedQuery('a query'))
  })

  it('is told where calls are not to be run again', async () => {
    await using once = await Embedder.load('mini', { isolation: { retry: false } })
    const call = once.embedDocuments(texts)
    await wait(10)
    process.kill(pidOf(once), 'SIGSEGV')
    const error = await call.catch((reason: unknown) => reason as Qwen3Error)
    expect(error).toMatchObject({ code: 'ERR_PROCESS_DIED', facts: { signal: 'SIGSEGV' } })
    expect(await once.embedQuery('alive')).toHaveLength(256)
  })

  it('that comes twice with the same call makes it suspect', async () => {
    await using fresh = await Embedder.load('mini', { isolation: { maxRestarts: 9 }, threads: 1 })
    const many = Array.from({ length: 8 }, () => texts).flat()
    const call = fresh.embedDocuments(many)
    const settled = call.then(
      () => 'done',
      (error: unknown) => error,
    )
    for (const _ of [1, 2]) {
      await wait(50)
      while (pidOf(fresh) === 0 || fresh.stats.process!.memory === 0) await wait(5)
      process.kill(pidOf(fresh), 'SIGKILL')
      await wait(5)
    }
    const error = await settled
    if (error !== 'done') {
      expect(error).toMatchObject({ code: 'ERR_PROCESS_DIED', facts: { suspect: 'yes' } })
    }
    expect(await fresh.embedQuery('alive')).toHaveLength(256)
  })

  it('too often rejects calls for a while, at once', async () => {
    await using fresh = await Embedder.load('mini', { isolation: { maxRestarts: 0 } })
    const pid = pidOf(fresh)
    process.kill(pid, 'SIGKILL')
    expect(await isGone(pid)).toBe(true)
    await wait(300)
    await expect(fresh.embedQuery('x')).rejects.toMatchObject({
      code: 'ERR_PROCESS_DIED',
      facts: { signal: 'SIGKILL', seconds: expect.toSatisfy((n: number) => n > 0 && n <= 60) },
    })
  })

  it('has what the process wrote last as its cause', async () => {
    const entry = fileURLToPath(new URL('fixtures/dying-child.mjs', import.meta.url))
    const error = await Embedder.load('mini', { isolation: { entry } }).catch((reason) => reason)
    expect(error).toMatchObject({ code: 'ERR_PROCESS_DIED', facts: { signal: 'SIGABRT' } })
    expect(error.cause.message).toBe('ggml_abort: no room for the cat')
  })

  it('is what a program that cannot be started comes to', async () => {
    const load = Embedder.load('mini', { isolation: { execPath: '/nowhere/node' } })
    await expect(load).rejects.toThrow(/could not be started.*ENOENT/)
    const entry = fileURLToPath(new URL('fixtures/old-child.mjs', import.meta.url))
    const old = Embedder.load('mini', { isolation: { entry } })
    await expect(old).rejects.toThrow(/of version 0\.0\.0-old.*start the program again/)
  })
})

it('a process that has grown too large is replaced between two calls', async () => {
  await using heavy = await Embedder.load('mini', { isolation: { maxMemory: 1 } })
  const pid = pidOf(heavy)
  const [first, second] = await Promise.all([heavy.embedQuery('a'), heavy.embedDocuments(texts)])
  expect(first).toEqual(await here.embedQuery('a'))
  expect(second).toEqual(await here.embedDocuments(texts))
  expect(await heavy.embedQuery('b')).toEqual(await here.embedQuery('b'))
  expect(pidOf(heavy)).not.toBe(pid)
  expect(heavy.stats.process!.restarts).toBe(0)
})

describe('no process is left', () => {
  const script = (end: string) => `
    import { Embedder } from 'qwen3-embed'
    const embedder = await Embedder.load('mini', { isolation: 'process' })
    console.log(embedder.stats.process.pid)
    ${end}`
  const start = async (end: string) => {
    const args = ['--input-type=module', '--eval', script(end)]
    const host = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] })
    const [line] = (await once(host.stdout, 'data')) as [Buffer]
    return { host, pid: Number(line) }
  }

  it.each([
    ['has nothing left to do', ''],
    ['calls process.exit', 'process.exit(3)'],
    ['fails', 'setTimeout(() => { throw new Error("mine") })'],
    [
      'exits in the middle of a call',
      'embedder.embedDocuments(Array(5000).fill("x y z")); setTimeout(() => process.exit(), 30)',
    ],
  ])('when its host %s', async (_, end) => {
    const { host, pid } = await start(end)
    if (host.exitCode === null && host.signalCode === null) await once(host, 'exit')
    expect(await isGone(pid)).toBe(true)
  })

  it('when its host is killed', async () => {
    const { host, pid } = await start('setInterval(() => {}, 1000)')
    expect(isAlive(pid)).toBe(true)
    host.kill('SIGKILL')
    expect(await isGone(pid)).toBe(true)
  })

  // Only the kernel can end what is stopped.
  it.runIf(process.platform === 'linux')('when it is stopped itself', async () => {
    const { host, pid } = await start('setInterval(() => {}, 1000)')
    process.kill(pid, 'SIGSTOP')
    host.kill('SIGKILL')
    expect(await isGone(pid)).toBe(true)
  })

  it('but a host that is stopped for a while, as by a debugger, keeps it', async () => {
    const { host, pid } = await start(
      'setInterval(async () => console.log((await embedder.embedQuery("x")).length), 50)',
    )
    host.kill('SIGSTOP')
    await wait(1500)
    expect(isAlive(pid)).toBe(true)
    const answer = once(host.stdout!, 'data')
    host.kill('SIGCONT')
    expect(`${(await answer)[0]}`).toMatch(/256/)
    host.kill('SIGKILL')
    expect(await isGone(pid)).toBe(true)
  })

  it('when a model is forgotten', async () => {
    const code = `
      import { Embedder } from 'qwen3-embed'
      let embedder = await Embedder.load('mini', { isolation: 'process' })
      const { pid } = embedder.stats.process
      embedder = undefined
      const alive = () => { try { return process.kill(pid, 0) } catch { return false } }
      for (let i = 0; alive() && i < 200; i++) { gc(); await new Promise((r) => setTimeout(r, 50)) }
      console.log(alive() ? 'left' : 'gone')`
    const args = ['--expose-gc', '--input-type=module', '--eval', code]
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root })
    expect(stdout.trim()).toBe('gone')
  })

  it('when the worker thread that loaded it ends', async () => {
    const url = new URL('../dist/index.js', import.meta.url).href
    const code = `
      const { parentPort } = require('node:worker_threads')
      import(${JSON.stringify(url)}).then(async ({ Embedder }) => {
        const embedder = await Embedder.load('mini', { isolation: 'process' })
        parentPort.postMessage(embedder.stats.process.pid)
        parentPort.on('message', () => {})
      })`
    const worker = new Worker(code, { eval: true, execArgv: [] })
    const [pid] = (await once(worker, 'message')) as [number]
    expect(isAlive(pid)).toBe(true)
    await worker.terminate()
    expect(await isGone(pid)).toBe(true)
  })

  it('signals of the terminal end the host alone', async () => {
    process.kill(pidOf(apart), 'SIGINT')
    process.kill(pidOf(apart), 'SIGTERM')
    const pid = pidOf(apart)
    expect(await apart.embedQuery('a query')).toHaveLength(256)
    expect(pidOf(apart)).toBe(pid)
  })
})

it('a storm of deaths: every call settles, right or typed', async () => {
  const [open, left] = [descriptors(), children()]
  const told = await storm({ name: 'mini', seconds: 5, everyMs: [30, 400] })
  expect(told.wrong).toBe(0)
  expect(told.untyped).toEqual([])
  expect(told.right).toBeGreaterThan(0)
  expect(told.deaths).toBeGreaterThan(2)
  expect(children()).toBe(left)
  expect(descriptors()).toBe(open)
})
