// A process that hangs is ended: SIGSTOP stands for a driver that never returns.
import { Embedder } from 'qwen3-embed'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
// What the built supervisor reads, and not a copy of it.
import { patience } from '../dist/process/pulse.js'
import { children, isAlive, isGone } from './fixtures/processes.ts'

const given = { ...patience }
beforeAll(() => void Object.assign(patience, { everyMs: 250, missed: 8 }))
afterAll(() => void Object.assign(patience, given))

const pidOf = (model: Embedder) => model.stats.process!.pid
const stop = (pid: number) => {
  process.kill(pid, 'SIGSTOP')
  onTestFinished(() => {
    if (isAlive(pid)) process.kill(pid, 'SIGKILL')
  })
}

describe.skipIf(process.platform === 'win32')('a process that hangs', () => {
  it('rejects the calls in flight and is started again', async () => {
    const before = children()
    const model = await Embedder.load('mini', { isolation: { retry: false } })
    const expected = await model.embedQuery('x')
    const pid = pidOf(model)
    stop(pid)
    const calls = await Promise.allSettled([model.embedQuery('a'), model.embedDocuments(['b'])])
    for (const call of calls) {
      expect(call).toMatchObject({
        status: 'rejected',
        reason: {
          code: 'ERR_PROCESS_DIED',
          message: expect.stringMatching(/hung: no answer for 2 s/),
          facts: { signal: 'SIGKILL', hungSeconds: 2 },
        },
      })
    }
    expect(await model.embedQuery('x')).toEqual(expected)
    expect(pidOf(model)).not.toBe(pid)
    expect(model.stats.process!.restarts).toBe(1)
    expect(await isGone(pid)).toBe(true)
    await model.close()
    expect(children()).toBe(before)
  })

  it('has its calls run again, as after any death', async () => {
    await using model = await Embedder.load('mini', { isolation: 'process' })
    const expected = await model.embedQuery('x')
    const pid = pidOf(model)
    stop(pid)
    expect(await model.embedQuery('x')).toEqual(expected)
    expect(await isGone(pid)).toBe(true)
  })

  it('is left alone while nobody waits for it', async () => {
    await using model = await Embedder.load('mini', { isolation: 'process' })
    const pid = pidOf(model)
    process.kill(pid, 'SIGSTOP')
    await new Promise((done) => setTimeout(done, 1.5 * patience.everyMs * patience.missed))
    process.kill(pid, 'SIGCONT')
    expect(await model.embedQuery('x')).toHaveLength(256)
    expect(pidOf(model)).toBe(pid)
  })

  it('is not one whose host was stopped meanwhile', async () => {
    await using model = await Embedder.load('mini', { isolation: { retry: false } })
    const pid = pidOf(model)
    stop(pid)
    const call = model.embedQuery('x')
    // Almost the whole patience, then this thread is away for longer than it: the child has all of it anew.
    await new Promise((done) => setTimeout(done, (patience.missed - 3) * patience.everyMs))
    const gap = new Int32Array(new SharedArrayBuffer(4))
    Atomics.wait(gap, 0, 0, 1.5 * patience.everyMs * patience.missed)
    await new Promise((done) => setTimeout(done, 2 * patience.everyMs))
    process.kill(pid, 'SIGCONT')
    expect(await call).toHaveLength(256)
    expect(pidOf(model)).toBe(pid)
  })
})

it('one that computes for longer than the patience answers', async () => {
  await using model = await Embedder.load('mini', { isolation: { retry: false }, threads: 1 })
  const pid = pidOf(model)
  // Tokens, so that it is one piece: nothing but pings tells of it before it is done.
  const [word] = await model.tokenize('word')
  const texts = Array.from({ length: 200 }, (_, i) =>
    Int32Array.from({ length: 900 }, (_, j) => word! + ((i * 31 + j * 7) % 90)),
  )
  expect(await model.embed(texts)).toHaveLength(texts.length)
  expect(pidOf(model)).toBe(pid)
})
