import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Qwen3Error } from '../lib/errors.ts'
import { pullModel, resolveModel } from '../lib/models/resolve.ts'
import { commit, failure, ggufBytes, HubServer } from './fixtures/hub-server.ts'

const repo = 'acme/tiny-GGUF'
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

describe('the hub', () => {
  it('is asked for a branch, whose commit is kept', async () => {
    hub.add(repo, { 'tiny-Q8_0.gguf': bytes })
    const { paths, name } = await resolveModel(`hf:${repo}/tiny-Q8_0.gguf@dev/x`, options())
    expect(name).toBe(`hf:${repo}/tiny-Q8_0.gguf@dev/x`)
    expect(paths[0]).toContain(join('snapshots', commit(repo)))
    const ref = join(cacheDir, 'models--acme--tiny-GGUF', 'refs', 'dev', 'x')
    expect(await readFile(ref, 'utf8')).toBe(commit(repo))
  })

  it('is asked again by a pull, which fetches what is new', async () => {
    hub.add(repo, { 'tiny-Q8_0.gguf': bytes })
    const before = await resolveModel(repo, options())
    hub.add(repo, { 'tiny-Q8_0.gguf': ggufBytes(60_000) }, commit('later'))
    expect(await resolveModel(repo, options())).toEqual(before)
    const { paths } = await pullModel(repo, options())
    expect((await readFile(paths[0]!)).equals(ggufBytes(60_000))).toBe(true)
    expect(await resolveModel(repo, options())).toMatchObject({ paths })
  })

  it('links a file that moved to another commit without fetching it', async () => {
    hub.add(repo, { 'tiny-Q8_0.gguf': bytes })
    await resolveModel(repo, options())
    hub.add(repo, { 'tiny-Q8_0.gguf': bytes }, commit('later'))
    hub.served = 0
    const { paths } = await pullModel(repo, options())
    expect(paths[0]).toContain(commit('later'))
    expect(hub.served).toBe(0)
  })

  it.each<[string, object, string, RegExp]>([
    ['401 without a reason', { status: 401 }, 'ERR_UNAUTHORIZED', /private or gated: set HF_TOKEN/],
    [
      '403 of a gated repository',
      { status: 403, headers: { 'x-error-code': 'GatedRepo' } },
      'ERR_UNAUTHORIZED',
      /accept terms/,
    ],
    [
      '404 of a revision',
      { status: 404, headers: { 'x-error-message': 'Invalid rev id: main' } },
      'ERR_MODEL_NOT_FOUND',
      /Invalid rev id: main.*Check the spelling/,
    ],
    ['418', { status: 418 }, 'ERR_DOWNLOAD', /answered 418/],
    ['502 for ever', { status: 502 }, 'ERR_DOWNLOAD', /Gave up after 3 attempts: .* answered 502/],
    ['a web page', { body: '<html>' }, 'ERR_DOWNLOAD', /did not answer as a Hugging Face hub does/],
    ['null', { body: 'null' }, 'ERR_DOWNLOAD', /did not answer as a Hugging Face hub does/],
    ['a connection that drops', { body: '{', after: 0, end: 'drop' }, 'ERR_DOWNLOAD', /Gave up/],
    [
      'a redirect to itself',
      { status: 307, headers: { location: '?' } },
      'ERR_DOWNLOAD',
      /redirects without end/,
    ],
    [
      'a redirect to a file',
      { status: 302, headers: { location: 'file:///etc/passwd' } },
      'ERR_DOWNLOAD',
      /not encrypted/,
    ],
  ])('that answers %s fails with a code and a remedy', async (_, fault, code, sentence) => {
    hub.fault = () => fault
    const error = await rejection(resolveModel(repo, options()))
    expect(error.code).toBe(code)
    expect(error.message).toMatch(sentence)
  })

  it('that refuses a token says so without showing it', async () => {
    hub.fault = () => ({ status: 401 })
    const error = await rejection(resolveModel(repo, options({ token: 'hf_secret' })))
    expect(error.message).toMatch(/The token that was sent .* may have expired/)
    expect(JSON.stringify(error)).not.toContain('hf_secret')
  })

  it('that is silent is given up', async () => {
    hub.fault = () => ({ body: '{}', after: 0, end: 'stall' })
    const impatient = { ...transfer, retries: 1, stallMs: 100 }
    const error = await rejection(resolveModel(repo, options({ transfer: impatient })))
    expect(error.message).toMatch(/Gave up after 2 attempts: .* sent nothing for 0\.1 seconds/)
  })

  it('that cannot be reached at all is given up', async () => {
    const error = await rejection(resolveModel(repo, options({ endpoint: 'http://127.0.0.1:9' })))
    expect(error.code).toBe('ERR_DOWNLOAD')
    expect(error.message).toMatch(/Check the connection/)
  })

  it('is followed when a repository was renamed', async () => {
    hub.add(repo, { 'tiny-Q8_0.gguf': bytes })
    hub.fault = ({ path }) =>
      path.includes('/old/')
        ? { status: 307, headers: { location: path.replace('old/tiny-GGUF', repo) } }
        : undefined
    await resolveModel('old/tiny-GGUF', options({ token: 'hf_secret' }))
    const asked = hub.seen.filter(({ at }) => at === 'hub')
    expect(asked.every(({ authorization }) => authorization === 'Bearer hf_secret')).toBe(true)
  })

  it('gets no token back once it sent us elsewhere', async () => {
    hub.add(repo, { 'tiny-Q8_0.gguf': bytes })
    hub.fault = ({ at, path }) => {
      if (!path.startsWith('/api/')) return undefined
      if (at === 'cdn')
        return { status: 307, headers: { location: `${hub.endpoint}${path}?again` } }
      return hub.seen.length === 1
        ? { status: 307, headers: { location: `${hub.cdn}${path}` } }
        : undefined
    }
    await resolveModel(repo, options({ token: 'hf_secret' }))
    const [first, elsewhere, again] = hub.seen
    expect([first!.at, elsewhere!.at, again!.at]).toEqual(['hub', 'cdn', 'hub'])
    expect(first!.authorization).toBe('Bearer hf_secret')
    expect([elsewhere!.authorization, again!.authorization]).toEqual([undefined, undefined])
  })

  it('cannot place files outside the cache', async () => {
    hub.add(repo, { '../../../evil-Q8_0.gguf': bytes, 'sub\\evil-Q8_0.gguf': bytes })
    expect((await rejection(resolveModel(repo, options()))).code).toBe('ERR_MODEL_NOT_FOUND')
    hub.add(repo, { 'tiny-Q8_0.gguf': bytes }, '../../../../outside')
    expect((await rejection(resolveModel(repo, options()))).message).toMatch(/did not answer as/)
  })
})

describe('a name without a quantization', () => {
  it('never picks at random', async () => {
    hub.add(repo, { 'tiny-Q4_K_M.gguf': bytes, 'tiny-f16.gguf': bytes })
    const error = await rejection(resolveModel(repo, options()))
    expect(error.code).toBe('ERR_MODEL_NOT_FOUND')
    expect(error.message).toBe(`${repo} holds no Q8_0. Append one of :Q4_K_M :F16 to the name`)
  })

  it('takes the only model there is, and goes on doing so without a network', async () => {
    hub.add(repo, { 'tiny-f16.gguf': bytes })
    const online = await resolveModel(repo, options())
    expect(online.paths[0]).toMatch(/tiny-f16\.gguf$/)
    expect(await resolveModel(repo, options({ offline: true }))).toEqual(online)
    hub.fault = () => ({ status: 503 })
    expect(await resolveModel(repo, options())).toEqual(online)
  })

  it('is not satisfied by another quantization in the cache', async () => {
    hub.add(repo, { 'tiny-Q4_K_M.gguf': bytes, 'tiny-Q8_0.gguf': ggufBytes(40_000) })
    await resolveModel(`${repo}:Q4_K_M`, options())
    expect((await resolveModel(repo, options())).paths[0]).toMatch(/tiny-Q8_0\.gguf$/)
  })
})

describe('a short name', () => {
  it('asks for the pinned file, without a listing', async () => {
    const error = await rejection(resolveModel('qwen3-embedding-0.6b', options()))
    expect(error.code).toBe('ERR_UNAUTHORIZED')
    const revision = '370f27d7550e0def9b39c1f16d3fbaa13aa67728'
    expect(hub.seen.map((seen) => seen.path)).toEqual([
      `/Qwen/Qwen3-Embedding-0.6B-GGUF/resolve/${revision}/Qwen3-Embedding-0.6B-Q8_0.gguf`,
    ])
  })

  it('refuses a file whose length is not the published one', async () => {
    const name = 'Qwen3-Embedding-0.6B-Q8_0.gguf'
    hub.add('Qwen/Qwen3-Embedding-0.6B-GGUF', { [name]: bytes })
    const error = await rejection(resolveModel('qwen3-embedding-0.6b', options()))
    expect(error.message).toMatch(/offers 50000 bytes but .* has 639150592/)
  })

  it('does not trust a cached file of another length', async () => {
    const snapshot = join(
      cacheDir,
      'models--Qwen--Qwen3-Embedding-0.6B-GGUF/snapshots/370f27d7550e0def9b39c1f16d3fbaa13aa67728',
    )
    await mkdir(snapshot, { recursive: true })
    await writeFile(join(snapshot, 'Qwen3-Embedding-0.6B-Q8_0.gguf'), bytes)
    const error = await rejection(resolveModel('qwen3-embedding-0.6b', options({ offline: true })))
    expect(error.code).toBe('ERR_OFFLINE')
  })

  it('finds other quantizations by listing', async () => {
    hub.add('giladgd/Qwen3-Reranker-8B-GGUF', { 'Qwen3-Reranker-8B.Q8_0.gguf': bytes })
    const { name, paths } = await resolveModel('qwen3-reranker-8b', options())
    expect(name).toBe('qwen3-reranker-8b:Q8_0')
    expect(paths[0]).toMatch(/Qwen3-Reranker-8B\.Q8_0\.gguf$/)
  })

  it('comes with a note where a repository has a known defect', async () => {
    hub.add('mradermacher/Qwen3-Reranker-4B-GGUF', { 'Qwen3-Reranker-4B.Q8_0.gguf': bytes })
    const { note } = await resolveModel('mradermacher/Qwen3-Reranker-4B-GGUF', options())
    expect(note).toMatch(/without the reranker's head/)
  })
})
