import { mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Qwen3Error } from '../lib/errors.ts'
import type { Progress } from '../lib/progress.ts'
import { pullModel, resolveModel } from '../lib/models/resolve.ts'
import { commit, failure, ggufBytes, HubServer, sha256 } from './fixtures/hub-server.ts'

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

async function rejection(promise: Promise<unknown>): Promise<Qwen3Error> {
  const error = await failure(promise, Qwen3Error)
  expect(error.message).not.toContain('hf_secret')
  expect(error.message).not.toContain('signature=')
  return error
}

describe('a download', () => {
  it('lands in the Hugging Face cache layout', async () => {
    const { paths, name, bundled } = await resolveModel(repo, options())
    const folder = join(cacheDir, 'models--acme--tiny-GGUF')
    expect(paths).toEqual([join(folder, 'snapshots', commit(repo), file)])
    expect(name).toBe(`hf:${repo}/${file}`)
    expect(bundled).toBe(false)
    await holds(paths[0]!, bytes)
    expect(await readlink(paths[0]!)).toBe(join('..', '..', 'blobs', sha256(bytes)))
    expect(await readFile(join(folder, 'refs', 'main'), 'utf8')).toBe(commit(repo))
    expect(await blobs()).toEqual([sha256(bytes)])
  })

  it('is not repeated, and a cached model asks nobody', async () => {
    await resolveModel(repo, options())
    const asked = hub.seen.length
    await resolveModel(repo, options())
    expect(hub.seen.length).toBe(asked)
    const { served } = hub
    await pullModel(repo, options())
    expect(hub.seen.length).toBe(asked + 1)
    expect(hub.served).toBe(served)
  })

  it('that two calls want at once is fetched once', async () => {
    const [a, b] = await Promise.all([resolveModel(repo, options()), resolveModel(repo, options())])
    expect(a).toEqual(b)
    expect(hub.served).toBe(size + 4)
  })

  it('uses parallel ranges and fetches no byte twice', async () => {
    await resolveModel(repo, options())
    expect(hub.fetches.length).toBe(1 + size / transfer.partBytes)
    expect(hub.served).toBe(size + 4)
  })

  it('sends the token to the hub and to no other host', async () => {
    await resolveModel(repo, options())
    const at = (place: string) => hub.seen.filter((seen) => seen.at === place)
    expect(at('hub').every((seen) => seen.authorization === 'Bearer hf_secret')).toBe(true)
    expect(at('cdn').length).toBeGreaterThan(0)
    expect(at('cdn').every((seen) => seen.authorization === undefined)).toBe(true)
  })

  it('reports progress that only grows and ends at the total', async () => {
    const seen: Progress[] = []
    await resolveModel(repo, options({ onProgress: (progress) => seen.push(progress) }))
    expect(seen[0]).toMatchObject({ file, done: 0, total: size })
    expect(seen.at(-1)).toMatchObject({ file, done: size, total: size })
    for (let i = 1; i < seen.length; i++) {
      expect(seen[i]!.done).toBeGreaterThanOrEqual(seen[i - 1]!.done)
    }
  })

  it('passes on what a progress callback throws', async () => {
    const thrown = new RangeError('no terminal')
    const onProgress = () => {
      throw thrown
    }
    await expect(resolveModel(repo, options({ onProgress }))).rejects.toBe(thrown)
  })

  it('fetches every part of a split model', async () => {
    const parts = [1, 2, 3].map((i) => `sub/big-Q4_K_M-0000${i}-of-00003.gguf`)
    hub.add(repo, Object.fromEntries(parts.map((path) => [path, ggufBytes(70_000, path)])))
    const { paths } = await resolveModel(`${repo}:Q4_K_M`, options())
    expect(paths.map((path) => path.split('/').slice(-2).join('/'))).toEqual(parts)
    for (const [i, path] of paths.entries()) {
      await holds(path, ggufBytes(70_000, parts[i]!))
    }
  })

  it('checks files outside LFS against their git object', async () => {
    hub.add(repo, { [file]: { bytes, inGit: true } })
    const { paths } = await resolveModel(repo, options())
    await holds(paths[0]!, bytes)
    expect((await blobs())[0]).toMatch(/^[0-9a-f]{40}$/)
  })
})

describe('before and during a download', () => {
  it('the disk must have room for it', async () => {
    hub.add(repo, { [file]: { bytes, statedSize: 2 ** 50 } })
    const error = await rejection(resolveModel(repo, options()))
    expect(error.code).toBe('ERR_DISK_FULL')
    expect(error.facts.needed).toBe(2 ** 50)
    expect(error.message).toMatch(
      /needs 1125899.91 GB but .* free. Free some space, or set HF_HUB_CACHE/,
    )
    expect(hub.fetches).toEqual([])
  })

  it('a cache that cannot be written is named', async () => {
    const blocked = join(cacheDir, 'file')
    await writeFile(blocked, '')
    const error = await rejection(resolveModel(repo, options({ cacheDir: join(blocked, 'hub') })))
    expect(error.code).toBe('ERR_CACHE')
    expect(error.message).toMatch(/HF_HUB_CACHE/)
  })

  it('an abort rejects with its reason and keeps what came', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    hub.fault = (seen) => (seen.at === 'cdn' ? { slowMs: 5 } : undefined)
    const onProgress = ({ done }: Progress) => {
      if (done > 100_000) controller.abort(reason)
    }
    const aborted = resolveModel(repo, options({ signal: controller.signal, onProgress }))
    await expect(aborted).rejects.toBe(reason)
    await nothingUsable()
    hub.fault = () => undefined
    hub.served = 0
    await resolveModel(repo, options())
    expect(hub.served).toBeLessThan(size)
    expect(
      (await stat(join(cacheDir, 'models--acme--tiny-GGUF', 'blobs', sha256(bytes)))).size,
    ).toBe(size)
  })

  it('settings under which nothing could happen are refused', async () => {
    const wrong = { ...transfer, connections: 0 }
    await expect(resolveModel(repo, options({ transfer: wrong }))).rejects.toThrow(
      'Expected a whole number from 1 for transfer.connections but received 0',
    )
  })

  it('an abort that came first touches nothing', async () => {
    const signal = AbortSignal.abort('never')
    await expect(resolveModel(repo, options({ signal }))).rejects.toBe('never')
    expect(hub.seen).toEqual([])
  })
})
