import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Qwen3Error } from '../lib/errors.ts'
import { pullModel, resolveModel } from '../lib/models/resolve.ts'
import { type Fault, failure, ggufBytes, HubServer, sha256 } from './fixtures/hub-server.ts'

const repo = 'acme/tiny-GGUF'
const file = 'tiny-Q8_0.gguf'
const size = 1_000_000
const bytes = ggufBytes(size)
const transfer = { partBytes: 100_000, connections: 3, stallMs: 3_000, retries: 4, backoffMs: 2 }

let hub: HubServer
let cacheDir: string

beforeEach(async () => {
  hub = await HubServer.start()
  hub.add(repo, { [file]: bytes, 'README.md': Buffer.from('words') })
  cacheDir = await mkdtemp(join(tmpdir(), 'models-'))
})

afterEach(async () => {
  await hub[Symbol.asyncDispose]()
  await rm(cacheDir, { recursive: true, force: true })
})

function options(more: Parameters<typeof pullModel>[1] = {}) {
  return { cacheDir, endpoint: hub.endpoint, token: 'hf_secret', offline: false, transfer, ...more }
}

/** Compared as buffers: expect() walks a million elements one by one. */
async function holds(path: string, content: Buffer): Promise<void> {
  expect((await readFile(path)).equals(content)).toBe(true)
}

async function blobs(): Promise<string[]> {
  return readdir(join(cacheDir, 'models--acme--tiny-GGUF', 'blobs')).catch(() => [])
}

/** Nothing has a final name, neither as a blob nor in a snapshot. */
async function nothingUsable(): Promise<void> {
  expect((await blobs()).filter((name) => /^[0-9a-f]+$/.test(name))).toEqual([])
  const all = await readdir(cacheDir, { recursive: true })
  expect(all.filter((name) => name.endsWith('.gguf'))).toEqual([])
}

/** Faults for the first so many fetches of ranges after the one that probes. */
function faulty(count: number, fault: Fault): void {
  let left = count
  hub.fault = (seen) =>
    seen.at === 'cdn' && seen.range !== 'bytes=0-3' && left-- > 0 ? fault : undefined
}

async function rejection(promise: Promise<unknown>): Promise<Qwen3Error> {
  const error = await failure(promise, Qwen3Error)
  expect(error.message).not.toContain('hf_secret')
  expect(error.message).not.toContain('signature=')
  return error
}

describe('an unreliable server', () => {
  it.each<[string, number, Fault]>([
    ['drops connections midway', 12, { after: 30_000, end: 'drop' }],
    ['stalls midway', 4, { after: 30_000, end: 'stall' }],
    ['stalls before the first byte', 3, { after: 0, end: 'stall' }],
    ['answers 503', 3, { status: 503 }],
    ['answers 500', 3, { status: 500 }],
    ['answers 429 and asks for patience', 2, { status: 429, headers: { 'retry-after': '0' } }],
    ['answers 408', 3, { status: 408 }],
    [
      'promises more bytes than it sends',
      3,
      { claimedLength: 200_000, after: 50_000, end: 'drop' },
    ],
    [
      'sends another range than was asked for',
      3,
      { headers: { 'content-range': 'bytes 5-9/1000000' } },
    ],
  ])('that %s still yields the right bytes', async (_, count, fault) => {
    faulty(count, fault)
    const impatient = fault.end === 'stall' ? { ...transfer, stallMs: 200 } : transfer
    const { paths } = await resolveModel(repo, options({ transfer: impatient }))
    await holds(paths[0]!, bytes)
  })

  it.each<[string, Fault]>([
    ['whole', { ignoreRange: true }],
    ['whole and of unstated length', { ignoreRange: true, chunked: true }],
  ])('that ignores ranges and sends the file %s is read from the start', async (_, fault) => {
    let n = 0
    // The first try breaks in the middle; what came is kept and the rest is skipped to.
    hub.fault = (seen) =>
      seen.at === 'cdn'
        ? { ...fault, ...(n++ === 1 ? { after: 400_000, end: 'drop' } : {}) }
        : undefined
    const { paths } = await resolveModel(repo, options())
    await holds(paths[0]!, bytes)
  })

  it('that sends other bytes for what is already here changes nothing', async () => {
    const other = Buffer.concat([ggufBytes(300_000, 'other'), bytes.subarray(300_000)])
    hub.fault = ({ at }) => {
      if (at === 'hub') return undefined
      if (hub.fetches.length === 2) return { ignoreRange: true, after: 400_000, end: 'drop' }
      return { ignoreRange: true, ...(hub.fetches.length > 2 ? { body: other } : {}) }
    }
    const { paths } = await resolveModel(repo, options())
    await holds(paths[0]!, bytes)
  })

  it('whose signed addresses expire is asked for another', async () => {
    const uses = new Map<number, number>()
    hub.fault = ({ at, signature }) => {
      if (at === 'hub') return undefined
      uses.set(signature, (uses.get(signature) ?? 0) + 1)
      return uses.get(signature)! > 3 ? { status: 403 } : undefined
    }
    const { paths } = await resolveModel(repo, options())
    await holds(paths[0]!, bytes)
    expect(uses.size).toBeGreaterThan(3)
  })

  it('that ignores ranges only after the first is read from the start', async () => {
    faulty(100, { ignoreRange: true })
    const { paths } = await resolveModel(repo, options())
    await holds(paths[0]!, bytes)
  })

  it('that never recovers is given up, and the next call continues', async () => {
    hub.fault = (seen) =>
      seen.at === 'cdn' && Number(/\d+/.exec(seen.range ?? '')?.[0]) >= 500_000
        ? { status: 503 }
        : undefined
    const error = await rejection(resolveModel(repo, options()))
    expect(error.code).toBe('ERR_DOWNLOAD')
    expect(error.message).toMatch(/5 attempts.*503.*continues where it stopped/)
    await nothingUsable()
    expect((await blobs()).sort()).toEqual([
      `${sha256(bytes)}.qwen3-embed.incomplete`,
      `${sha256(bytes)}.qwen3-embed.json`,
    ])
    hub.fault = () => undefined
    hub.served = 0
    const received: number[] = []
    const { paths } = await resolveModel(
      repo,
      options({ onProgress: (p) => received.push(p.done) }),
    )
    expect(received[0]).toBe(500_000)
    expect(hub.served).toBe(500_004)
    await holds(paths[0]!, bytes)
    expect(await blobs()).toEqual([sha256(bytes)])
  })

  it('that asks for a pause of an hour is not waited for', async () => {
    hub.fault = () => ({ status: 429, headers: { 'retry-after': '3600' } })
    const error = await rejection(resolveModel(repo, options()))
    expect(error).toMatchObject({ code: 'ERR_DOWNLOAD', facts: { retryAfterSeconds: 3600 } })
    expect(hub.seen.length).toBe(1)
  })
})

describe('wrong bytes', () => {
  it('are thrown away', async () => {
    hub.add(repo, { [file]: { bytes, statedSha256: 'ab'.repeat(32) } })
    const error = await rejection(resolveModel(repo, options()))
    expect(error.code).toBe('ERR_DOWNLOAD_HASH')
    expect(error.facts).toEqual({ file, expected: 'ab'.repeat(32), actual: sha256(bytes) })
    await nothingUsable()
    expect(await blobs()).toEqual([])
  })

  it('of an earlier run are fetched anew, once', async () => {
    hub.fault = (seen) => (seen.range?.startsWith('bytes=9') ? { status: 503 } : undefined)
    await rejection(resolveModel(repo, options()))
    const half = join(
      cacheDir,
      'models--acme--tiny-GGUF',
      'blobs',
      `${sha256(bytes)}.qwen3-embed.incomplete`,
    )
    const damaged = await readFile(half)
    damaged[1000]! ^= 1
    await writeFile(half, damaged)
    hub.fault = () => undefined
    const { paths } = await resolveModel(repo, options())
    await holds(paths[0]!, bytes)
  })

  it('in the cache are found and replaced on request', async () => {
    const { paths } = await resolveModel(repo, options())
    await writeFile(paths[0]!, ggufBytes(size, 'damaged'))
    await pullModel(repo, options())
    await holds(paths[0]!, ggufBytes(size, 'damaged'))
    await pullModel(repo, options({ verify: true }))
    await holds(paths[0]!, bytes)
  })

  it.each<[string, number, string]>([
    ['shorter', 900_000, 'offers 1000000 bytes but tiny-Q8_0.gguf has 900000'],
    ['longer', 1_100_000, 'offers 1000000 bytes but tiny-Q8_0.gguf has 1100000'],
  ])('are refused when the listing says %s', async (_, statedSize, sentence) => {
    hub.add(repo, { [file]: { bytes, statedSize } })
    const error = await rejection(resolveModel(repo, options()))
    expect(error.code).toBe('ERR_DOWNLOAD')
    expect(error.message).toContain(sentence)
    await nothingUsable()
  })

  it('are refused before they are fetched when they are no GGUF', async () => {
    hub.fault = (seen) =>
      seen.at === 'cdn' ? { body: '<html>sign in</html>'.padEnd(size) } : undefined
    const error = await rejection(resolveModel(repo, options()))
    expect(error.code).toBe('ERR_DOWNLOAD')
    expect(error.message).toMatch(/is not a GGUF file: it starts with "<htm"/)
    expect(hub.fetches.length).toBe(1)
  })
})
