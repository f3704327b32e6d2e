import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Embedder } from 'qwen3-embed'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fixture } from './fixtures/models.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'cli-jobs-'))
const input = join(folder, 'in.jsonl')
const texts = Array.from(
  { length: 1_200 },
  (_, i) => `passage ${i}: ${'the storm cancelled our flight and we waited '.repeat(i % 4)}`,
)

beforeAll(() => {
  writeFileSync(input, texts.map((text) => JSON.stringify({ text })).join('\n'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Job {
  child: ChildProcess
  ended: Promise<{ code: number | null; stderr: string }>
}

function start(output: string, ...more: string[]): Job {
  const args = [
    'embed',
    '--input',
    input,
    '--output',
    output,
    '--checkpoint',
    '0',
    '--threads',
    '1',
    ...more,
  ]
  const child = spawn(process.execPath, [join(root, 'dist/cli/main.js'), ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', (data) => (stderr += data))
  const ended = new Promise<{ code: number | null; stderr: string }>((resolve) => {
    child.on('close', (code) => resolve({ code, stderr }))
  })
  return { child, ended }
}

function rowsOf(output: string): number {
  const path = `${output}.progress`
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).rows : 0
}

async function rowsBeyond(output: string, rows: number): Promise<void> {
  while (rowsOf(output) <= rows && !existsSync(output)) await sleep(5)
}

/** Kills a job at random moments, some of them before its first row, until it is done. */
async function killedUntilDone(output: string, ...more: string[]): Promise<number> {
  for (let kills = 0; ; ) {
    const before = rowsOf(output)
    const { child, ended } = start(output, ...more)
    // Each run must get somewhere in the end, however slow the machine is.
    if (kills % 4 !== 3) await Promise.race([rowsBeyond(output, before), ended])
    const timer = setTimeout(
      () => child.kill('SIGKILL'),
      kills < 7 ? kills * 60 * Math.random() : 60_000,
    )
    const { code, stderr } = await ended
    clearTimeout(timer)
    if (code !== 0) expect(code, stderr).toBe(null)
    // It may also be killed when it has nothing left to do but exit.
    if (existsSync(output) && !existsSync(`${output}.progress`)) return kills
    kills++
    expect(rowsOf(output), 'a checkpoint never goes back').toBeGreaterThanOrEqual(before)
  }
}

describe('a job that is killed', () => {
  it.each(['npy', 'json'])('goes on to the same %s, byte for byte', async (format) => {
    const whole = join(folder, `whole.${format}`)
    const killed = join(folder, `killed.${format}`)
    const options = ['--dimensions', '64']
    const [, kills] = await Promise.all([
      start(whole, ...options).ended,
      killedUntilDone(killed, ...options),
    ])
    expect(kills).toBeGreaterThan(0)
    const bytes = readFileSync(killed)
    expect(bytes.equals(readFileSync(whole))).toBe(true)
    for (const path of [killed, whole]) {
      for (const rest of ['partial', 'progress', 'progress.new', 'lock']) {
        expect(existsSync(`${path}.${rest}`), `${path}.${rest}`).toBe(false)
      }
    }
    if (format === 'npy') {
      expect(bytes.length).toBe(128 + texts.length * 64 * 4)
      return
    }
    const rows = JSON.parse(`${bytes}`)
    expect(rows.map((row: { index: number }) => row.index)).toEqual(texts.map((_, i) => i))
    const embedder = await Embedder.load('mini')
    const expected = await embedder.embedDocuments(texts.slice(-20), { dimensions: 64 })
    await embedder.close()
    const last = rows.slice(-20).map((row: { vector: number[] }) => Float32Array.from(row.vector))
    expect(last).toEqual(expected)
  })

  it('goes on with an engine whose rounding depends on the company of a text', async () => {
    const few = join(folder, 'few.txt')
    writeFileSync(few, texts.slice(0, 500).join('\n'))
    const whole = join(folder, 'generic.jsonl')
    const killed = join(folder, 'generic-killed.jsonl')
    const options = ['--engine', 'generic', '--model', fixture('embed-q8_0'), '--input', few]
    expect(await start(whole, ...options).ended).toMatchObject({ code: 0 })
    await killedUntilDone(killed, ...options)
    expect(readFileSync(killed).equals(readFileSync(whole))).toBe(true)
  })

  it('computes nothing again when only the last step is missing', async () => {
    const output = join(folder, 'last-step.npy')
    const { ended } = start(output)
    await ended
    const bytes = readFileSync(output)
    const { progress, partial } = { progress: `${output}.progress`, partial: `${output}.partial` }
    const job = {
      model: await fingerprint(),
      instruction: '',
      dimensions: 256,
      pooling: 'last',
      normalize: true,
      format: 'npy',
    }
    const state = { version: 1, job, rows: texts.length, bytes: bytes.length, tokens: 1, failed: 0 }
    const complete = JSON.stringify({ ...state, digest: '', complete: true })
    for (const renamed of [false, true]) {
      writeFileSync(progress, complete)
      if (!renamed) {
        writeFileSync(partial, bytes)
        rmSync(output)
      }
      const { code, stderr } = await start(output).ended
      expect(stderr).toContain('was already complete: 1,200 rows')
      expect(code).toBe(0)
      expect(readFileSync(output).equals(bytes)).toBe(true)
      expect(existsSync(progress) || existsSync(partial)).toBe(false)
    }
  })
})

describe('a job that is interrupted', () => {
  it('says what is safe, exits with 130 and goes on later', async () => {
    const output = join(folder, 'interrupted.npy')
    const { child, ended } = start(output)
    await rowsBeyond(output, 0)
    child.kill('SIGSTOP')
    const second = await start(output).ended
    expect(second.stderr).toContain(`is being written by process ${child.pid}`)
    expect(second.code).toBe(2)
    child.kill('SIGINT')
    child.kill('SIGCONT')
    const { code, stderr } = await ended
    expect(stderr).toMatch(
      /[\d,]+ rows are safe in .*interrupted\.npy\.partial; the same command goes on/,
    )
    expect(stderr).toMatch(/qwen3-embed: interrupted\n$/)
    expect(code).toBe(130)
    const rows = rowsOf(output)
    expect(rows).toBeGreaterThan(0)

    const other = await start(output, '--dimensions', '32').ended
    expect(other.stderr).toContain('belongs to another job (dimensions was 256, is 32)')
    expect(other.code).toBe(2)

    const changed = join(folder, 'changed.jsonl')
    writeFileSync(changed, readFileSync(input, 'utf8').replace('passage 1:', 'passage one:'))
    const replaced = await start(output, '--input', changed).ended
    expect(replaced.stderr).toContain(`its first ${rows} texts differ`)
    expect(replaced.code).toBe(1)

    const resumed = await start(output).ended
    expect(resumed.stderr).toContain(`going on after ${rows.toLocaleString('en-US')} rows`)
    expect(resumed.code).toBe(0)
    const restarted = await start(join(folder, 'interrupted-not.npy'), '--restart').ended
    expect(restarted.code).toBe(0)
    const expected = readFileSync(join(folder, 'interrupted-not.npy'))
    expect(readFileSync(output).equals(expected)).toBe(true)
  })

  it('stops while it waits for a pipe', async () => {
    const child = spawn(process.execPath, [join(root, 'dist/cli/main.js'), 'embed'])
    let stderr = ''
    child.stderr.on('data', (data) => (stderr += data))
    await new Promise((resolve) => child.stderr.once('data', resolve))
    await sleep(300)
    child.kill('SIGTERM')
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect(stderr).toMatch(/interrupted\n$/)
    expect(code).toBe(143)
  })
})

async function fingerprint(): Promise<string> {
  const embedder = await Embedder.load('mini')
  await embedder.close()
  return embedder.info.fingerprint
}
