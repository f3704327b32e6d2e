// `serve` from its start on: it listens before it loads, and outlives the processes of its models.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { serve } from '../lib/server/index.ts'
import { Embedder } from '../lib/index.ts'
import { fixture } from './fixtures/models.ts'
import { isGone } from './fixtures/processes.ts'

const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'qwen3-embed-life-'))
const running = new Set<ChildProcess>()
afterAll(() => {
  for (const child of running) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

async function freePort(): Promise<number> {
  const one = createServer().listen(0, '127.0.0.1')
  await once(one, 'listening')
  const { port } = one.address() as { port: number }
  await new Promise((resolve) => one.close(resolve))
  return port
}

function start(...args: string[]) {
  const child = spawn(process.execPath, [main, 'serve', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  child.stderr!.resume()
  const lines: Record<string, string>[] = []
  createInterface({ input: child.stdout! }).on('line', (line) => lines.push(JSON.parse(line)))
  const has = (key: string) =>
    expect.poll(() => lines.find((line) => line[key])?.[key], { timeout: 30_000 }).toBeTruthy()
  return { child, lines, has }
}

const statusOf = async (url: string) =>
  fetch(url).then(
    ({ status }) => status,
    () => 0,
  )

const embed = (url: string, headers: Record<string, string> = {}) =>
  fetch(`${url}/embed`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ inputs: 'a text' }),
  })

describe('a server that starts', () => {
  it('is alive, then ready, and answers what came in between', async () => {
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    const { child, lines, has } = start('--port', `${port}`, fixture('embed-long'), 'mini')
    while ((await statusOf(`${url}/livez`)) === 0) await wait(5)
    const early = embed(url)
    const seen: number[] = []
    while (seen.at(-1) !== 200) {
      seen.push(await statusOf(`${url}/readyz`))
      expect(await statusOf(`${url}/health/live`)).toBe(200)
      await wait(10)
    }
    expect(seen[0]).toBe(503)
    expect([...new Set(seen)]).toEqual([503, 200])
    expect((await early).status).toBe(200)
    await has('ready')
    expect(Object.keys(lines[0]!)).toContain('listening')
    expect(Object.keys(lines[1]!)).toContain('ready')
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
  })

  it('ends if a model cannot be opened, and lets nobody wait', async () => {
    const port = await freePort()
    const broken = join(folder, 'broken.gguf')
    writeFileSync(broken, 'GGUF, but no more than that')
    const { child } = start('--port', `${port}`, 'mini', broken)
    expect(await once(child, 'exit')).toEqual([1, null])
    expect(await statusOf(`http://127.0.0.1:${port}/livez`)).toBe(0)
  })

  it('does so in a program too', async () => {
    let open: () => void = () => {}
    const opened = new Promise<void>((resolve) => {
      open = resolve
    })
    let embedder: Embedder | undefined
    const server = await serve({
      port: 0,
      models: async (opening) => {
        opening.doing = 'wait'
        await opened
        embedder = await Embedder.load('mini')
        return { mini: embedder }
      },
    })
    const health = await fetch(`${server.url}/health`)
    expect([health.status, health.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await health.json()).toEqual({ status: 'loading', opened: 0, doing: 'wait' })
    open()
    await server.ready
    expect((await embed(server.url)).status).toBe(200)
    await server.close()
    await embedder!.close()
    const models = () => Promise.reject(new Error('mine'))
    await expect((await serve({ port: 0, models })).ready).rejects.toThrow('mine')
    await expect(serve({ port: 0, models, keys: ['short'] })).rejects.toThrow(/8 characters/)
  })
})

describe.runIf(process.platform === 'linux')('a server whose model dies', () => {
  it('stays, says that it is not ready, and answers again', async () => {
    const { child, lines, has } = start('--port', '0')
    await has('ready')
    const url = lines[0]!.listening!
    const metric = async (name: string) =>
      new RegExp(`^qwen3_embed_${name}\\S* (\\d+)`, 'm').exec(
        await (await fetch(`${url}/metrics`)).text(),
      )?.[1]
    expect(await metric('process_restarts_total')).toBe('0')
    const { readdirSync, readFileSync } = await import('node:fs')
    const pid = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .find((one) => {
        try {
          return readFileSync(`/proc/${one}/stat`, 'utf8').includes(`) S ${child.pid} `)
        } catch {
          return false
        }
      })
    process.kill(Number(pid), 'SIGSEGV')
    expect(await isGone(Number(pid))).toBe(true)
    expect((await embed(url)).status).toBe(200)
    expect(await metric('process_restarts_total')).toBe('1')
    await expect.poll(() => statusOf(`${url}/readyz`)).toBe(200)
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
  })
})

describe('new files', () => {
  it('are taken on SIGHUP and by those who have a key', async () => {
    const path = join(folder, 'live.gguf')
    const place = (from: string) => {
      copyFileSync(from, `${path}.new`)
      renameSync(`${path}.new`, path)
    }
    place(fixture('embed'))
    const keys = join(folder, 'keys')
    writeFileSync(keys, 'a-key-of-mine\n')
    const { child, lines, has } = start('--port', '0', '--api-key-file', keys, `live=${path}`)
    await has('ready')
    const url = lines[0]!.listening!
    const authorization = 'Bearer a-key-of-mine'
    const fingerprint = async () => {
      const response = await fetch(`${url}/v1/models`, { headers: { authorization } })
      return ((await response.json()) as { data: { fingerprint: string }[] }).data[0]!.fingerprint
    }
    const first = await fingerprint()
    place(fixture('embed-other'))
    child.kill('SIGHUP')
    await expect.poll(fingerprint, { timeout: 10_000 }).not.toBe(first)
    const reload = (headers: Record<string, string>) =>
      fetch(`${url}/admin/reload`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: '{}',
      })
    expect((await reload({})).status).toBe(401)
    place(fixture('embed'))
    const answer = await reload({ authorization })
    expect(await answer.json()).toEqual({
      reloaded: [{ model: 'live', fingerprint: first, changed: true }],
    })
    expect(await fingerprint()).toBe(first)
    expect((await embed(url, { authorization })).status).toBe(200)
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
  })
})
