import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Qwen3Error } from '../lib/errors.ts'
import { resolveModel } from '../lib/models/resolve.ts'
import { commit, failure, ggufBytes, HubServer, sha256 } from './fixtures/hub-server.ts'

// What disks and file systems refuse, which this one does not.
const refuse = vi.hoisted(() => ({ symlink: false, link: false, writesAfter: Infinity }))

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  const deny = (code: string) => Object.assign(new Error(code), { code, syscall: 'write' })
  return {
    ...real,
    symlink: async (...args: Parameters<typeof real.symlink>) => {
      if (refuse.symlink) throw deny('EPERM')
      return real.symlink(...args)
    },
    link: async (...args: Parameters<typeof real.link>) => {
      if (refuse.link) throw deny('ENOTSUP')
      return real.link(...args)
    },
    open: async (...args: Parameters<typeof real.open>) => {
      const file = await real.open(...args)
      if (!String(args[0]).endsWith('.incomplete')) return file
      const write = file.write.bind(file) as (...args: unknown[]) => Promise<unknown>
      const limited = async (...args: unknown[]) => {
        if (refuse.writesAfter-- <= 0) throw deny('ENOSPC')
        return write(...args)
      }
      return Object.assign(file, { write: limited })
    },
  }
})

const repo = 'acme/tiny-GGUF'
const bytes = ggufBytes(500_000)

let hub: HubServer
let cacheDir: string

beforeEach(async () => {
  Object.assign(refuse, { symlink: false, link: false, writesAfter: Infinity })
  hub = await HubServer.start()
  hub.add(repo, { 'tiny-Q8_0.gguf': bytes })
  cacheDir = await mkdtemp(join(tmpdir(), 'models-'))
})

afterEach(async () => {
  await hub[Symbol.asyncDispose]()
  await rm(cacheDir, { recursive: true, force: true })
})

const resolve = () => resolveModel(repo, { cacheDir, endpoint: hub.endpoint })
const blob = () => join(cacheDir, 'models--acme--tiny-GGUF', 'blobs', sha256(bytes))

it('where symbolic links are refused a hard link takes their place', async () => {
  refuse.symlink = true
  const { paths } = await resolve()
  expect((await stat(paths[0]!)).ino).toBe((await stat(blob())).ino)
  expect(await resolve()).toMatchObject({ paths })
})

it('where there are no links at all a copy takes their place', async () => {
  refuse.symlink = true
  refuse.link = true
  const { paths } = await resolve()
  expect((await stat(paths[0]!)).ino).not.toBe((await stat(blob())).ino)
  expect((await readFile(paths[0]!)).equals(bytes)).toBe(true)
  const snapshot = join(cacheDir, 'models--acme--tiny-GGUF', 'snapshots', commit(repo))
  expect(await readdir(snapshot)).toEqual(['tiny-Q8_0.gguf'])
})

it('a disk that fills up is named, and the download continues when there is room', async () => {
  refuse.writesAfter = 3
  const error = await failure(resolve(), Qwen3Error)
  expect(error.code).toBe('ERR_DISK_FULL')
  expect(error.message).toMatch(/filled up while writing to .*blobs. Free some space/)
  refuse.writesAfter = Infinity
  hub.served = 0
  const { paths } = await resolve()
  expect(hub.served).toBeLessThan(bytes.length)
  expect((await readFile(paths[0]!)).equals(bytes)).toBe(true)
})
