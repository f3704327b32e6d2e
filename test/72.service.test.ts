// `serve` under what runs services: readers that leave, terminals that close, clusters, supervisors.
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'

const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
const running = new Set<ChildProcess>()
afterEach(() => {
  for (const child of running) child.kill('SIGKILL')
  running.clear()
})

function start(
  args: string[],
  options: { env?: NodeJS.ProcessEnv; command?: [string, ...string[]]; stdio?: StdioOptions } = {},
): ChildProcess {
  const {
    env = {},
    command = [process.execPath],
    stdio = ['ignore', 'pipe', 'pipe'] as const,
  } = options
  const [program, ...before] = command
  const child = spawn(program, [...before, main, 'serve', ...args], {
    stdio: stdio as StdioOptions,
    env: { ...process.env, ...env },
  })
  running.add(child)
  return child
}

async function urlOf(child: ChildProcess): Promise<string> {
  let text = ''
  for await (const chunk of child.stdout!) {
    text += chunk
    const found = /"ready":"([^"]+)"/.exec(text)
    if (found) return found[1]!
  }
  throw new Error(`It ended: ${text}`)
}

/** The stream goes on after the address was read from it. */
function follow(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stdout!.on('data', (chunk) => {
      text += chunk
      const found = /"ready":"([^"]+)"/.exec(text)
      if (found) resolve(found[1]!)
    })
    child.on('exit', () => reject(new Error(`It ended: ${text}`)))
  })
}

const ended = async (child: ChildProcess) => (await once(child, 'exit')) as [number, string]
const isWell = async (url: string) => (await fetch(`${url}/health`)).status === 200

describe('a service', () => {
  it('goes on when nobody reads its log any more', async () => {
    const child = start(['--port', '0'])
    const url = await urlOf(child)
    child.stdout!.destroy()
    child.stderr!.destroy()
    for (let i = 0; i < 20; i++) expect(await isWell(url)).toBe(true)
    child.kill('SIGTERM')
    expect(await ended(child)).toEqual([0, null])
  })

  it.each(['SIGINT', 'SIGTERM', 'SIGQUIT'] as const)('ends in order on %s', async (signal) => {
    const child = start(['--port', '0'])
    await follow(child)
    child.kill(signal)
    expect(await ended(child)).toEqual([0, null])
  })

  it('goes on under nohup when its terminal closes', async () => {
    const child = start(['--port', '0'], { command: ['nohup', process.execPath] })
    const url = await follow(child)
    child.kill('SIGHUP')
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(await isWell(url)).toBe(true)
    child.kill('SIGTERM')
    expect(await ended(child)).toEqual([0, null])
  })

  it('starts with a closed stdin', async () => {
    const script = `exec "$0" "$1" serve --port 0 <&-`
    const child = spawn('sh', ['-c', script, process.execPath, main], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    running.add(child)
    expect(await isWell(await follow(child))).toBe(true)
    child.kill('SIGTERM')
    expect(await ended(child)).toEqual([0, null])
  })

  it('says a taken port before it loads, with what to do', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    const log = join(mkdtempSync(join(tmpdir(), 'service-')), 'stderr')
    // A model that would have to be fetched: asking for it first would be seen.
    const child = start(['qwen3-embedding-0.6b', '--port', `${port}`], {
      env: { HF_HUB_OFFLINE: '1' },
      stdio: ['ignore', 'ignore', openSync(log, 'w')],
    })
    expect(await ended(child)).toEqual([1, null])
    expect(readFileSync(log, 'utf8')).toMatch(/listens on 127\.0\.0\.1:\d+ already\. Use --port/)
    other.close()
  })

  it('takes PORT and HOST, and everything under --base-path', async () => {
    const free = createServer().listen(0, '127.0.0.1')
    await once(free, 'listening')
    const { port } = free.address() as { port: number }
    await new Promise((resolve) => free.close(resolve))
    const child = start(['--base-path', 'ai/'], { env: { PORT: `${port}`, HOST: '127.0.0.1' } })
    expect(await follow(child)).toBe(`http://127.0.0.1:${port}`)
    expect((await fetch(`http://127.0.0.1:${port}/ai/health`)).status).toBe(200)
    expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(404)
  })

  it('runs in a cluster, tells PM2 that it is ready, and ends by its message', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'service-')), 'primary.mjs')
    writeFileSync(
      file,
      `import cluster from 'node:cluster'
       cluster.setupPrimary({ exec: ${JSON.stringify(main)}, args: ['serve', '--port', '0', '--no-log'] })
       const workers = [cluster.fork(), cluster.fork()]
       const ports = await Promise.all(workers.map((worker) => new Promise((resolve) => {
         worker.on('message', (message) => { if (message === 'ready') worker.ready = true })
         worker.on('listening', ({ port }) => resolve(port))
       })))
       const codes = Promise.all(workers.map((worker) => new Promise((resolve) => worker.on('exit', (code) => resolve(code)))))
       while (!workers.every((worker) => worker.ready)) await new Promise((resolve) => setTimeout(resolve, 20))
       const answer = await fetch('http://127.0.0.1:' + ports[0] + '/health')
       workers[0].send('shutdown')
       workers[1].disconnect()
       console.log(JSON.stringify({ status: answer.status, codes: await codes }))`,
    )
    const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] })
    running.add(child)
    let output = ''
    for await (const chunk of child.stdout) output += chunk
    expect(JSON.parse(output)).toEqual({ status: 200, codes: [0, 0] })
  })
})
