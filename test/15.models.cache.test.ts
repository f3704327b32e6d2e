import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Qwen3Error } from '../lib/errors.ts'
import { Lease, LeaseLost } from '../lib/models/lock.ts'
import { readPlaces } from '../lib/models/places.ts'
import { listModels } from '../lib/models/list.ts'
import { removeModel } from '../lib/models/remove.ts'
import { pullModel, resolveModel } from '../lib/models/resolve.ts'
import { verifyFiles } from '../lib/models/verify.ts'
import { commit, failure, ggufBytes, HubServer, sha256 } from './fixtures/hub-server.ts'

const bytes = ggufBytes(50_000)
const transfer = { stallMs: 3_000, retries: 2, backoffMs: 2 }

let hub: HubServer
let cacheDir: string

beforeEach(async () => {
  hub = await HubServer.start()
  cacheDir = await mkdtemp(join(tmpdir(), 'models-'))
})

afterEach(async () => {
  await hub[Symbol.asyncDispose]()
  await rm(cacheDir, { recursive: true, force: true })
})

function options(more: Parameters<typeof resolveModel>[1] = {}) {
  return { cacheDir, endpoint: hub.endpoint, transfer, ...more }
}

const rejection = (promise: Promise<unknown>) => failure(promise, Qwen3Error)

describe('the places', () => {
  const places = (env: Record<string, string>) => readPlaces({}, { HF_TOKEN_PATH: '/none', ...env })

  it.each<[Record<string, string>, string]>([
    [{}, join(homedir(), '.cache/huggingface/hub')],
    [{ XDG_CACHE_HOME: '/x' }, '/x/huggingface/hub'],
    [{ HF_HOME: '/h', XDG_CACHE_HOME: '/x' }, '/h/hub'],
    [{ HF_HOME: '~/h' }, join(homedir(), 'h/hub')],
    [{ HUGGINGFACE_HUB_CACHE: '/old', HF_HOME: '/h' }, '/old'],
    [{ HF_HUB_CACHE: '/c', HUGGINGFACE_HUB_CACHE: '/old', HF_HOME: '/h' }, '/c'],
    [{ HF_HUB_CACHE: '', HF_HOME: '/h' }, '/h/hub'],
  ])('of the cache follow %j', async (env, folder) => {
    expect((await places(env)).hub).toBe(folder)
  })

  it('of the hub are the default or a mirror', async () => {
    expect((await places({})).endpoint).toBe('https://huggingface.co')
    expect((await places({ HF_ENDPOINT: 'https://mirror.example/hf/' })).endpoint).toBe(
      'https://mirror.example/hf',
    )
    const error = await rejection(places({ HF_ENDPOINT: 'mirror.example' }))
    expect(error.message).toMatch(/Correct HF_ENDPOINT/)
  })

  it('of the token are the variable, then the file of a login', async () => {
    await writeFile(join(cacheDir, 'token'), 'hf_file\n')
    const home = { HF_HOME: cacheDir, HF_TOKEN_PATH: '' }
    expect((await places(home)).token).toBe('hf_file')
    expect((await places({ ...home, HF_TOKEN: ' hf_env ' })).token).toBe('hf_env')
    expect((await readPlaces({ token: 'hf_own' }, { HF_TOKEN: 'hf_env' })).token).toBe('hf_own')
    expect((await places({})).token).toBeUndefined()
  })

  it.each(['1', 'true', 'YES', 'on'])('are offline with HF_HUB_OFFLINE=%s', async (value) => {
    expect((await places({ HF_HUB_OFFLINE: value })).offline).toBe(true)
    expect((await readPlaces({ offline: false }, { HF_HUB_OFFLINE: value })).offline).toBe(false)
  })

  it.each(['0', '', 'no'])('are not offline with HF_HUB_OFFLINE=%j', async (value) => {
    expect((await places({ HF_HUB_OFFLINE: value })).offline).toBe(false)
  })
})

describe('offline', () => {
  it('cached models are found and the hub is never asked', async () => {
    hub.add('a/b', { 'x-Q8_0.gguf': bytes, 'x-Q4_0.gguf': bytes })
    const { paths } = await resolveModel('a/b', options())
    hub.seen.length = 0
    expect((await resolveModel('a/b', options({ offline: true }))).paths).toEqual(paths)
    expect((await pullModel('a/b', options({ offline: true }))).paths).toEqual(paths)
    const error = await rejection(resolveModel('a/b:Q4_0', options({ offline: true })))
    expect(error.code).toBe('ERR_OFFLINE')
    expect(error.message).toMatch(
      /a\/b:Q4_0 is not in the cache .* of this repository there is Q8_0/,
    )
    expect(hub.seen).toEqual([])
  })

  it('a cache written by other tools is used', async () => {
    const folder = join(cacheDir, 'models--a--b')
    const snapshot = join(folder, 'snapshots', commit('x'))
    await mkdir(join(folder, 'refs'), { recursive: true })
    await mkdir(join(folder, 'blobs'))
    await mkdir(snapshot, { recursive: true })
    await writeFile(join(folder, 'blobs', sha256(bytes)), bytes)
    await writeFile(join(folder, 'refs', 'main'), commit('x'))
    await symlink(join('..', '..', 'blobs', sha256(bytes)), join(snapshot, 'x-Q8_0.gguf'))
    await symlink(join('..', '..', 'blobs', 'gone'), join(snapshot, 'x-Q4_0.gguf'))
    await symlink(
      join('..', '..', 'blobs', sha256(bytes)),
      join(snapshot, 'y-Q5_0-00001-of-00002.gguf'),
    )
    const { paths } = await resolveModel('a/b', options({ offline: true }))
    expect(paths).toEqual([join(snapshot, 'x-Q8_0.gguf')])
    expect((await listModels(options())).slice(1)).toEqual([
      {
        name: 'hf:a/b/x-Q8_0.gguf',
        quant: 'Q8_0',
        repo: 'a/b',
        paths,
        bytes: 50_000,
        bundled: false,
      },
    ])
    for (const missing of ['a/b:Q4_0', 'a/b:Q5_0', 'a/b@dev', 'c/d']) {
      expect((await rejection(resolveModel(missing, options({ offline: true })))).code).toBe(
        'ERR_OFFLINE',
      )
    }
  })
})

describe('an address', () => {
  const address = () => `${hub.cdn}/a/b/x-Q8_0.gguf`

  it('is fetched once and kept', async () => {
    hub.add('a/b', { 'x-Q8_0.gguf': bytes })
    const { paths, name } = await resolveModel(address(), options({ token: 'hf_secret' }))
    expect((await readFile(paths[0]!)).equals(bytes)).toBe(true)
    expect(name).toBe(address())
    expect(hub.seen.every((seen) => seen.authorization === undefined)).toBe(true)
    hub.seen.length = 0
    expect((await resolveModel(address(), options({ offline: true }))).paths).toEqual(paths)
    expect((await resolveModel(address(), options())).paths).toEqual(paths)
    expect(hub.seen).toEqual([])
  })

  it('may state the hash it must have', async () => {
    hub.add('a/b', { 'x-Q8_0.gguf': bytes })
    const good = await resolveModel(`${address()}#sha256=${sha256(bytes)}`, options())
    expect(await verifyFiles(good.paths)).toMatchObject([{ isIntact: true }])
    const error = await rejection(resolveModel(`${address()}#sha256=${'ab'.repeat(32)}`, options()))
    expect(error.code).toBe('ERR_DOWNLOAD_HASH')
  })

  it('of a part stands for all parts', async () => {
    const parts = ['x-00001-of-00002.gguf', 'x-00002-of-00002.gguf']
    hub.add('a/b', { [parts[0]!]: ggufBytes(5_000, 'a'), [parts[1]!]: ggufBytes(6_000, 'b') })
    const { paths } = await resolveModel(`${hub.cdn}/a/b/${parts[0]}`, options())
    expect(await Promise.all(paths.map(async (path) => (await stat(path)).size))).toEqual([
      5_000, 6_000,
    ])
  })

  it('whose file changes during the download is started over', async () => {
    hub.add('a/b', { 'x-Q8_0.gguf': bytes })
    hub.fault = () => {
      if (hub.fetches.length === 2) return { after: 20_000, end: 'drop' }
      if (hub.fetches.length === 3) hub.add('a/b', { 'x-Q8_0.gguf': ggufBytes(50_000, 'new') })
      return undefined
    }
    const { paths } = await resolveModel(address(), options())
    expect((await readFile(paths[0]!)).equals(ggufBytes(50_000, 'new'))).toBe(true)
  })

  it('that neither names versions nor keeps the connection is never pieced together', async () => {
    hub.add('a/b', { 'x-Q8_0.gguf': bytes })
    let n = 0
    hub.fault = () => ({
      ignoreRange: true,
      headers: { etag: 'W/"weak"' },
      ...(n++ % 2 === 1 && n < 5 ? { after: 30_000, end: 'drop' as const } : {}),
    })
    const { paths } = await resolveModel(address(), options())
    expect((await readFile(paths[0]!)).equals(bytes)).toBe(true)
    n = 0
    hub.fault = ({ range }) => ({ chunked: true, ignoreRange: true, ...(range ? {} : {}) })
    const error = await rejection(resolveModel(`${address()}?other`, options()))
    expect(error.message).toMatch(/does not say how long the file is/)
  })
})

describe('bytes on the disk', () => {
  it('are compared with the hash their blob is named by', async () => {
    hub.add('a/b', { 'x-Q8_0.gguf': bytes })
    const { paths } = await resolveModel('a/b', options())
    const hash = sha256(bytes)
    expect(await verifyFiles(paths)).toEqual([
      { path: paths[0], bytes: 50_000, hash, expected: hash, published: undefined, isIntact: true },
    ])
    await writeFile(paths[0]!, ggufBytes(50_000, 'damaged'))
    expect(await verifyFiles(paths)).toMatchObject([{ isIntact: false, expected: hash }])
  })

  it('are removed, and only bytes that nothing else needs', async () => {
    hub.add('a/b', { 'x-Q8_0.gguf': bytes })
    const { paths, name } = await resolveModel('a/b', options())
    const error = await rejection(removeModel('c/d', options()))
    expect(error).toMatchObject({ code: 'ERR_MODEL_NOT_FOUND', remedy: `There is ${name}.` })
    await expect(removeModel('mini', options())).rejects.toMatchObject({
      problem: 'mini came with the package and is not in the cache',
    })
    expect(await removeModel(name, options())).toEqual({ name, paths, bytes: 50_000 })
    expect((await listModels(options())).map((one) => one.name)).toEqual(['mini'])
    await expect(readFile(paths[0]!)).rejects.toThrow('ENOENT')
  })

  it('are listed with what comes with the package', async () => {
    const [mini, ...rest] = await listModels(options())
    expect(mini).toMatchObject({ name: 'mini', quant: 'Q8_0', bundled: true })
    expect(rest).toEqual([])
    expect(await resolveModel('mini')).toEqual({ name: 'mini', paths: mini!.paths, bundled: true })
  })

  it('are found by path: a file, all parts, a folder', async () => {
    for (const name of ['x-Q8_0.gguf', 'x-Q4_0.gguf', 'y-00001-of-00002.gguf']) {
      await writeFile(join(cacheDir, name), bytes)
    }
    const at = (name: string) => join(cacheDir, name)
    expect((await resolveModel(at('x-Q4_0.gguf'))).paths).toEqual([at('x-Q4_0.gguf')])
    expect((await resolveModel(cacheDir)).paths).toEqual([at('x-Q8_0.gguf')])
    const error = await rejection(resolveModel(at('y-00001-of-00002.gguf')))
    expect(error).toMatchObject({
      code: 'ERR_MODEL_NOT_FOUND',
      facts: { path: at('y-00002-of-00002.gguf') },
    })
    expect((await rejection(resolveModel('a/b/c.gguf'))).message).toMatch(/write hf:a\/b\/c\.gguf/)
  })
})

describe('a lock', () => {
  const path = () => join(cacheDir, 'lock')
  const timing = { beatMs: 20, staleMs: 3_000, pollMs: 10 }
  const hasty = { ...timing, staleMs: 200 }

  it('is held by one at a time and handed on', async () => {
    let inside = 0
    let most = 0
    const visit = async () => {
      const lease = await Lease.acquire(path(), { timing })
      most = Math.max(most, ++inside)
      await lease.hold()
      inside--
      await lease.release()
    }
    await Promise.all(Array.from({ length: 8 }, visit))
    expect(most).toBe(1)
    await expect(stat(path())).rejects.toThrow('ENOENT')
  })

  it('of a dead process is taken at once', async () => {
    const lease = await Lease.acquire(path(), { timing })
    const dead = JSON.parse(await readFile(path(), 'utf8'))
    await writeFile(path(), JSON.stringify({ ...dead, pid: 2 ** 22 + 1 }))
    const heir = await Lease.acquire(path(), { timing: { ...timing, staleMs: 1e9 } })
    await expect.poll(() => lease.hold().catch((error) => error)).toBeInstanceOf(LeaseLost)
    await lease.release()
    await heir.hold()
    await heir.release()
  })

  it.each(['{"pid":1,"machine":"elsewhere"}', '', 'garbage'])(
    'that is silent is taken over: %j',
    async (text) => {
      await writeFile(path(), text)
      const started = performance.now()
      const lease = await Lease.acquire(path(), { timing: hasty })
      expect(performance.now() - started).toBeGreaterThan(hasty.staleMs)
      await lease.release()
    },
  )

  it('that is kept alive is waited for until the caller gives up', async () => {
    const lease = await Lease.acquire(path(), { timing })
    const signal = AbortSignal.timeout(1_000)
    const waiting = Lease.acquire(path(), { timing: { ...timing, staleMs: 500 }, signal })
    await expect(waiting).rejects.toHaveProperty('name', 'TimeoutError')
    await lease.hold()
    await lease.release()
  })
})
