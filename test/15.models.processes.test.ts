import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { resolveModel } from '../lib/models/resolve.ts'
import { ggufBytes, HubServer, sha256 } from './fixtures/hub-server.ts'

// Child processes run on any supported Node, which need not read TypeScript: they get it compiled,
// inside the package so that `#root` resolves.
const root = fileURLToPath(new URL('..', import.meta.url))
const compiled = join(root, '.cache', `models-test-${process.pid}`)
const repo = 'acme/tiny-GGUF'
const bytes = ggufBytes(1_000_000)
const transfer = { partBytes: 100_000, connections: 2, retries: 3, backoffMs: 5 }

let hub: HubServer
let cacheDir: string

beforeAll(() => {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const args = ['-p', 'tsconfig.json', '--outDir', compiled, '--declaration', 'false', '--noCheck']
  execFileSync(process.execPath, [tsc, ...args], { cwd: root, stdio: 'inherit' })
})

afterAll(() => rm(compiled, { recursive: true, force: true }))

beforeEach(async () => {
  hub = await HubServer.start()
  hub.add(repo, { 'tiny-Q8_0.gguf': bytes })
  hub.fault = ({ at }) => (at === 'cdn' ? { slowMs: 5 } : undefined)
  cacheDir = await mkdtemp(join(tmpdir(), 'models-'))
})

afterEach(async () => {
  await hub[Symbol.asyncDispose]()
  await rm(cacheDir, { recursive: true, force: true })
})

function child(): ChildProcess {
  const script = `
    import { resolveModel } from ${JSON.stringify(pathToFileURL(join(compiled, 'models', 'resolve.js')))}
    let reports = 0
    const options = { ...JSON.parse(process.argv[1]), onProgress: () => reports++ }
    const { paths } = await resolveModel(${JSON.stringify(repo)}, options)
    console.log(JSON.stringify({ path: paths[0], reports }))
  `
  const options = JSON.stringify({ cacheDir, endpoint: hub.endpoint, transfer })
  return spawn(process.execPath, ['--input-type=module', '-e', script, options], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

async function outcome(process: ChildProcess): Promise<{ path: string; reports: number }> {
  return JSON.parse(await text(process.stdout!))
}

it('two processes at once download once', async () => {
  let allListed = () => {}
  const listed = new Promise<void>((resolve) => {
    allListed = resolve
  })
  hub.fault = ({ at }) => {
    if (hub.seen.filter(({ path }) => path.startsWith('/api/')).length === 2) allListed()
    return at === 'cdn' ? { slowMs: 5, when: listed } : undefined
  }
  const [a, b] = await Promise.all([outcome(child()), outcome(child())])
  expect(a.path).toBe(b.path)
  expect((await readFile(a.path)).equals(bytes)).toBe(true)
  expect(hub.served).toBe(bytes.length + 4)
  // The one that waits reports the other's progress.
  expect(Math.min(a.reports, b.reports)).toBeGreaterThan(0)
  const blobs = await readdir(join(cacheDir, 'models--acme--tiny-GGUF', 'blobs'))
  expect(blobs).toEqual([sha256(bytes)])
})

it('a download survives being killed at any moment', async () => {
  let kills = 0
  for (let round = 0; round < 4; round++) {
    const { served } = hub
    const victim = child()
    const exited = once(victim, 'exit')
    while (hub.served === served && victim.exitCode === null) await sleep(2)
    await sleep(Math.random() * 150)
    victim.kill('SIGKILL')
    await exited
    const files = await readdir(cacheDir, { recursive: true })
    if (files.some((name) => name.endsWith('.gguf'))) break
    kills++
  }
  expect(kills).toBeGreaterThan(0)
  // What was lost is at most what one second, and the writes in flight, had brought each time.
  const started = performance.now()
  const { paths } = await resolveModel(repo, { cacheDir, endpoint: hub.endpoint, transfer })
  expect(performance.now() - started).toBeLessThan(5_000)
  expect((await readFile(paths[0]!)).equals(bytes)).toBe(true)
})

it('a killed download continues from what it had noted', async () => {
  hub.fault = ({ at }) => (at === 'cdn' ? { slowMs: 60 } : undefined)
  const victim = child()
  const exited = once(victim, 'exit')
  const note = join(cacheDir, 'models--acme--tiny-GGUF/blobs', `${sha256(bytes)}.qwen3-embed.json`)
  await expect.poll(() => readFile(note).catch(() => undefined), { timeout: 5_000 }).toBeDefined()
  victim.kill('SIGKILL')
  await exited
  const { spans } = JSON.parse(await readFile(note, 'utf8'))
  const noted = spans.reduce((sum: number, [from, to]: number[]) => sum + to! - from!, 0)
  expect(noted).toBeGreaterThan(0)
  hub.fault = () => undefined
  hub.served = 0
  const { paths } = await resolveModel(repo, { cacheDir, endpoint: hub.endpoint, transfer })
  expect(hub.served).toBe(bytes.length - noted + 4)
  expect((await readFile(paths[0]!)).equals(bytes)).toBe(true)
})
