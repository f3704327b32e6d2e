// Where a job's files are: the same promises of a folder, S3, Google Cloud Storage and Azure.
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore, type Store } from 'qwen3-embed/fleet'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { signed } from '../lib/fleet/stores/sigv4.ts'
import { type Fault, ObjectServer } from './fixtures/object-server.ts'

const folder = mkdtempSync(join(tmpdir(), 'fleet-stores-'))
const server = new ObjectServer()
const before = { ...process.env }

beforeAll(async () => {
  await server.start()
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'a secret',
    AWS_ENDPOINT_URL_S3: server.url,
    STORAGE_EMULATOR_HOST: server.url,
    GOOGLE_OAUTH_ACCESS_TOKEN: 'a token',
    AZURE_STORAGE_BLOB_ENDPOINT: server.url,
    AZURE_STORAGE_SAS_TOKEN: '?sv=2021&sig=a%2Fb',
  })
})
afterAll(async () => {
  process.env = before
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
})
afterEach(() => {
  server.fault = () => 'none'
  server.pageSize = 1_000
  server.log.length = 0
})

const digest = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex')

async function publish(store: Store, name: string, bytes: Buffer | string) {
  const draft = await store.draft(name)
  writeFileSync(draft, bytes)
  return store.publish(name, draft, digest(bytes))
}

async function read(store: Store, name: string, from?: number, to?: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of store.read(name, from, to)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** The n-th request of a kind meets it, each time once. */
function once(faults: Record<string, Fault[]>) {
  server.fault = ({ method, url }) => {
    const kind = `${method}${/[?&](uploads|partNumber|uploadId)=/.exec(url!)?.[1] ?? ''}`
    return faults[kind]?.shift() ?? 'none'
  }
}

describe.each([
  ['a folder', join(folder, 'job')],
  ['S3', 's3://bucket/some/job'],
  ['Google Cloud Storage', 'gs://bucket/some/job-g'],
  ['Azure', 'az://account/container/some/job-a'],
])('%s', (_, root) => {
  let store: Store
  beforeAll(() => {
    store = openStore(root)
  })

  it('creates what is absent, and nothing else', async () => {
    expect(await publish(store, 'shards/a+b &1.npy', 'one')).toBe('created')
    expect(await publish(store, 'shards/a+b &1.npy', 'one')).toBe('same')
    expect(await publish(store, 'shards/a+b &1.npy', 'two')).toBe('different')
    expect(`${await read(store, 'shards/a+b &1.npy')}`).toBe('one')
    const item = (await store.stat('shards/a+b &1.npy'))!
    expect(item).toMatchObject({ name: 'shards/a+b &1.npy', size: 3 })
    expect(await store.stat('shards/absent')).toBeUndefined()
    await store.remove('shards/a+b &1.npy')
    await store.remove('shards/a+b &1.npy')
    await expect(read(store, 'shards/a+b &1.npy')).rejects.toMatchObject({ code: 'ENOENT' })
    expect(await publish(store, 'shards/a+b &1.npy', 'two')).toBe('created')
    expect((await store.stat('shards/a+b &1.npy'))!.version).not.toBe(item.version)
  })

  it('lets one of many writers win', async () => {
    const all = Array.from({ length: 12 }, (_, i) => publish(store, 'shards/race', `${i}`))
    const published = await Promise.all(all)
    const winner = published.indexOf('created')
    expect(published.filter((one) => one === 'created').length).toBe(1)
    expect(published.filter((one) => one === 'different').length).toBe(11)
    expect(`${await read(store, 'shards/race')}`).toBe(`${winner}`)
  })

  it('reads ranges, and lists more than a page', async () => {
    await publish(store, 'pages/x', '0123456789')
    expect(`${await read(store, 'pages/x', 3, 7)}`).toBe('3456')
    expect(`${await read(store, 'pages/x', 8)}`).toBe('89')
    expect(`${await read(store, 'pages/x', 4, 4)}`).toBe('')
    for (const name of ['y & z', 'ümlaut', 'a/b']) await publish(store, `pages/${name}`, name)
    server.pageSize = 2
    const names: string[] = []
    for await (const { name, size } of store.list('pages/')) names.push(`${name} ${size}`)
    const expected = ['pages/a/b 3', 'pages/x 10', 'pages/y & z 5', 'pages/ümlaut 7']
    expect(names.sort()).toEqual(expected)
  })
})

describe('an object store that misbehaves', () => {
  let store: Store
  beforeAll(() => {
    store = openStore('s3://bucket/faults')
  })
  const large = Buffer.alloc((64 << 20) + 5, 'abcdefg')

  it('busy, or cut off before and after the work: the object is there once', async () => {
    once({ PUT: ['busy', 'cut', 'none'] })
    expect(await publish(store, 'busy', 'one')).toBe('created')
    // The first attempt did it; the second one finds its own work.
    once({ PUT: ['deaf', 'none'] })
    expect(await publish(store, 'deaf', 'one')).toBe('same')
    once({ PUT: ['conflict', 'none'] })
    expect(await publish(store, 'conflict', 'one')).toBe('created')
    expect(server.log.filter((line) => line.startsWith('PUT')).length).toBe(7)
  })

  it('large files go in parts, with the same promises', async () => {
    once({ PUTpartNumber: ['none', 'cut', 'busy', 'none'], POSTuploads: ['busy'] })
    expect(await publish(store, 'large', large)).toBe('created')
    expect(digest(await read(store, 'large'))).toBe(digest(large))
    expect(await publish(store, 'large', large)).toBe('same')
    large[7]! ^= 1
    expect(await publish(store, 'large', large)).toBe('different')
    large[7]! ^= 1
    for (const fault of ['conflict', 'late error', 'deaf'] as const) {
      once({ POSTuploadId: [fault, 'none'] })
      const published = await publish(store, `large ${fault}`, large)
      expect([fault, published]).toEqual([fault, 'created'])
    }
    // Nothing is left that would cost money.
    expect(server.uploads.size).toBe(0)
  })

  it('a read that breaks goes on where it was, and never in another version', async () => {
    await publish(store, 'read', large)
    let gets = 0
    const cutting = async (onCut: () => void) => {
      let seen = 0
      const hash = createHash('sha256')
      for await (const chunk of store.read('read')) {
        hash.update(chunk)
        seen += chunk.length
        if (seen > 1 << 20 && gets === 0) {
          gets++
          onCut()
        }
      }
      return hash.digest('hex')
    }
    expect(await cutting(() => server.cutAll())).toBe(digest(large))
    gets = 0
    const changed = cutting(() => {
      server.objects.set('faults/read', { bytes: Buffer.from('x'), etag: '"x"', headers: {} })
      server.cutAll()
    })
    await expect(changed).rejects.toMatchObject({ code: 'ERR_STORE' })
  })

  it('without rights it says so at once, without an answer after some attempts', async () => {
    server.fault = () => 'none'
    const { AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = process.env
    expect([AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN]).toEqual(['a secret', undefined])
    delete process.env.AZURE_STORAGE_SAS_TOKEN
    const azure = openStore('az://account/container/job').stat('x')
    await expect(azure).rejects.toMatchObject({ code: 'ERR_STORE' })
    expect(() => openStore('ftp://host/job')).toThrow(TypeError)
  })
})

// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, its four examples.
describe("AWS's own examples of signatures", () => {
  const credentials = {
    accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  }
  const base = { credentials, region: 'us-east-1', at: new Date('2013-05-24T00:00:00Z') }
  const host = 'https://examplebucket.s3.amazonaws.com'
  const empty = digest('')
  const put = {
    date: 'Fri, 24 May 2013 00:00:00 GMT',
    'x-amz-storage-class': 'REDUCED_REDUNDANCY',
  }
  it.each([
    [
      'GET',
      '/test.txt',
      { range: 'bytes=0-9' },
      empty,
      'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    ],
    [
      'PUT',
      '/test%24file.text',
      put,
      digest('Welcome to Amazon S3.'),
      '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    ],
    [
      'GET',
      '/?lifecycle',
      {},
      empty,
      'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
    ],
    [
      'GET',
      '/?max-keys=2&prefix=J',
      {},
      empty,
      '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
    ],
  ])('%s %s', (method, path, headers, sha256, signature) => {
    const all = signed({ ...base, method, url: new URL(`${host}${path}`), headers, sha256 })
    expect(all.authorization!.split('Signature=')[1]).toBe(signature)
  })
})
