// A job of many shards: the same bytes whoever made them, whatever happened to the workers.
import { type ChildProcess, spawn } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { Redis } from 'ioredis'
import { Embedder } from 'qwen3-embed'
import {
  BullSource,
  finish,
  JetStreamSource,
  type Outcome,
  plan,
  type PlanOptions,
  type ShardSource,
  StaticSource,
  shareOf,
  status,
  work,
  type WorkOptions,
} from 'qwen3-embed/fleet'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  hasNats,
  hasRedis,
  natsServer,
  type QueueServer,
  redisServer,
} from './fixtures/queue-servers.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'fleet-'))
const plain = join(folder, 'plain.jsonl')
const packed = join(folder, 'packed.jsonl.gz')
const load = { threads: 1 }
let embedder: Embedder

const record = (id: string, i: number) => ({
  id,
  text: `passage ${i}: ${'der Sturm warf den Flug um, and we waited '.repeat(i % 5)}`,
})
const records = Array.from({ length: 1_000 }, (_, i) => record(`a${i}`, i))
const others = Array.from({ length: 230 }, (_, i) => record(`b${i}`, i * 3))
const lines = (some: readonly object[]) => some.map((one) => JSON.stringify(one)).join('\n')

beforeAll(async () => {
  // A blank line is no record, and the last line needs no end.
  writeFileSync(plain, lines(records).replace('\n', '\n\r\n'))
  writeFileSync(packed, gzipSync(lines(others)))
  embedder = await Embedder.load('mini', load)
})
afterAll(async () => {
  await embedder.close()
  rmSync(folder, { recursive: true, force: true })
})

function planned(name: string, more: Partial<PlanOptions> = {}) {
  const options = { inputs: [plain, packed], shardBytes: 12_000, model: 'mini', dimensions: 64 }
  return plan({ ...options, out: join(folder, name), embedder, ...more })
}

/** All shards by one worker in this process. */
async function worked(name: string, more: Partial<WorkOptions> = {}): Promise<Outcome[]> {
  const out = join(folder, name)
  const source = new StaticSource({ index: 0, count: 1 })
  await source.enqueue((await status(out)).missing)
  const outcomes: Outcome[] = []
  await work({ out, source, load, onShard: (outcome) => outcomes.push(outcome), ...more })
  return outcomes
}

function files(name: string, part = 'shards'): Map<string, string> {
  const at = join(folder, name, part)
  return new Map(filesIn(name, part).map((file) => [file, readFileSync(join(at, file), 'base64')]))
}

/** None where nothing was written yet. */
function filesIn(name: string, part: string): string[] {
  const at = join(folder, name, part)
  return existsSync(at) ? readdirSync(at) : []
}

interface Ran {
  child: ChildProcess
  ended: Promise<{ code: number | null; stdout: string; stderr: string }>
}

function command(words: string[], env: Record<string, string> = {}): Ran {
  const child = spawn(process.execPath, [join(root, 'dist/cli/main.js'), 'fleet', ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (data) => (stdout += data))
  child.stderr.on('data', (data) => (stderr += data))
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
  return { child, ended }
}

const receipts = (name: string) => filesIn(name, 'receipts').length

let undisturbed: Map<string, string>
beforeAll(async () => {
  await planned('undisturbed')
  await worked('undisturbed')
  undisturbed = files('undisturbed')
})

describe('a plan', () => {
  it('covers every record once, by bytes, the same each time', async () => {
    const job = await planned('covers')
    expect(job.inputs.map(({ records }) => records)).toEqual([1_000, 230])
    expect(job.shards.length).toBeGreaterThan(10)
    for (const [input, count] of [1_000, 230].entries()) {
      let next = 0
      for (const { first, rows } of job.shards.filter((shard) => shard.input === input)) {
        expect(first).toBe(next)
        next += rows
      }
      expect(next).toBe(count)
    }
    const bytes = readFileSync(plain)
    for (const { bytes: range, rows } of job.shards.filter(({ input }) => input === 0)) {
      const [from, to] = range!
      expect(to - from).toBeLessThanOrEqual(12_000)
      const held = `${bytes.subarray(from, to)}`.split('\n').filter((line) => line.trim() !== '')
      expect(held.length).toBe(rows)
    }
    expect((await planned('covers')).name).toBe(job.name)
    await expect(planned('covers', { dimensions: 32 })).rejects.toMatchObject({ code: 'ERR_FLEET' })
    await expect(planned('no', { shardbytes: 3 } as object)).rejects.toThrow(
      'Did you mean shardBytes',
    )
  })

  it('tells what the job takes', async () => {
    const words = ['plan', plain, '-o', join(folder, 'told'), '-m', 'mini']
    const { code, stdout, stderr } = await command([...words, '--rate', '100', '--price', '0.5'])
      .ended
    expect(code, stderr).toBe(0)
    expect(stdout).toContain('1,000 records of 1 input in 1 shard')
    expect(stdout).toContain('a million: 2.78 worker hours, cost 1.39')
  })
})

describe('shards', () => {
  it('hold the vectors of one call, and their ids', async () => {
    const vectors = await embedder.embedDocuments(
      [...records, ...others].map(({ text }) => text),
      { dimensions: 64 },
    )
    const { done, missing } = await status(join(folder, 'undisturbed'))
    expect({ missing, ...done }).toMatchObject({ missing: [], rows: 1_230, failed: 0 })
    const names = [...undisturbed.keys()].sort()
    const npy = names.filter((name) => name.endsWith('.npy'))
    const whole = npy.map((name) => Buffer.from(undisturbed.get(name)!, 'base64').subarray(128))
    expect(Buffer.concat(whole).equals(Buffer.concat(vectors.map(bytesOf)))).toBe(true)
    const ids = names
      .filter((name) => name.endsWith('.ids.jsonl'))
      .flatMap((name) => rowsIn(undisturbed.get(name)!))
    expect(ids.map(({ id }) => id)).toEqual([...records, ...others].map(({ id }) => id))
  })

  it('by three processes that a scheduler numbers are the same', async () => {
    await planned('three')
    const ended = await Promise.all(
      [0, 1, 2].map((i) => {
        const env = {
          SLURM_ARRAY_TASK_ID: `${i + 5}`,
          SLURM_ARRAY_TASK_MIN: '5',
          SLURM_ARRAY_TASK_COUNT: '3',
        }
        return command(['work', join(folder, 'three'), '--threads', '1'], env).ended
      }),
    )
    for (const { code, stderr } of ended) expect(code, stderr).toBe(0)
    expect(files('three')).toEqual(undisturbed)
    const took = ended.map(({ stderr }) => stderr.match(/shard-\d+(?=: )/g)!)
    expect(took.flat().sort()).toEqual([...new Set(took.flat())].sort())
    expect(took.flat().length).toBe(undisturbed.size / 2)
  })

  it('by processes that start one after another are the same', async () => {
    await planned('late')
    for (const index of ['1', '0']) {
      const words = [
        'work',
        join(folder, 'late'),
        '--index',
        index,
        '--count',
        '2',
        '--threads',
        '1',
      ]
      const { code, stderr } = await command(words).ended
      expect(code, stderr).toBe(0)
    }
    expect(files('late')).toEqual(undisturbed)
  })

  it('by workers that are killed are the same, and nothing else is left', async () => {
    await planned('killed')
    const out = join(folder, 'killed')
    expect(await finish({ out })).toMatchObject({ missing: { length: undisturbed.size / 2 } })
    for (let kills = 0; kills < 3; kills++) {
      const before = receipts('killed')
      const { child, ended } = command(['work', out, '--threads', '1'])
      while (receipts('killed') <= before && child.exitCode === null) await sleep(2)
      await sleep(15 * kills * Math.random())
      child.kill('SIGKILL')
      await ended
    }
    const last = await command(['work', out, '--threads', '1']).ended
    expect(last.code, last.stderr).toBe(0)
    expect(files('killed')).toEqual(undisturbed)

    const finished = await command(['finish', out]).ended
    expect(finished.stdout).toContain('1,230 rows')
    const success = readFileSync(join(out, '_SUCCESS'), 'utf8')
    expect(JSON.parse(success).totals).toMatchObject({ rows: 1_230, failed: 0 })
    expect((await finish({ out })).totals).toEqual(JSON.parse(success).totals)
    expect(readFileSync(join(out, '_SUCCESS'), 'utf8')).toBe(success)
    const left = ['_SUCCESS', 'inputs', 'manifest.json', 'receipts', 'shards']
    expect(readdirSync(out).sort()).toEqual(left)
  })

  it('by a worker that is told to stop are whole, and the rest is done later', async () => {
    await planned('stopped')
    const controller = new AbortController()
    const reason = new Error('enough')
    const stopped = worked('stopped', {
      signal: controller.signal,
      onShard: () => receipts('stopped') === 3 && controller.abort(reason),
    })
    await expect(stopped).rejects.toBe(reason)
    expect(receipts('stopped')).toBe(3)
    expect(readdirSync(join(folder, 'stopped', 'drafts'))).toEqual([])
    await worked('stopped')
    expect(files('stopped')).toEqual(undisturbed)
  })
})

describe('what goes wrong', () => {
  it('a row that fails keeps its place', async () => {
    const input = join(folder, 'rows.jsonl')
    const awkward = [
      '{"id": 7, "text": "good"}',
      '{"id": 8, "text": 5}',
      '{broken',
      `{"id": 9, "text": "${'long '.repeat(99)}"}`,
      '"bare"',
    ]
    writeFileSync(input, awkward.join('\n'))
    await using short = await Embedder.load('mini', { maxTokens: 32 })
    for (const format of ['npy', 'jsonl'] as const) {
      await planned(format, { inputs: [input], format, embedder: short })
      await worked(format)
      const { done } = await status(join(folder, format))
      expect(done).toMatchObject({ rows: 5, failed: 3 })
      const [name] = [...files(format).keys()].filter((file) => file.endsWith('.jsonl'))
      const rows = rowsIn(files(format).get(name!)!)
      expect(rows.map(({ id, error }) => [id, error?.code])).toEqual([
        [7, undefined],
        [8, 'ERR_RECORD'],
        [2, 'ERR_RECORD'],
        [9, 'ERR_TEXT_TOO_LONG'],
        [4, undefined],
      ])
    }
    const npy = Buffer.from(files('npy').get('shard-0000000.npy')!, 'base64').subarray(128)
    const first = Array.from({ length: 5 }, (_, i) => npy.readFloatLE(i * 64 * 4))
    expect(first.map(Number.isNaN)).toEqual([false, true, true, true, false])
  })

  it('a text that kills is found, and its neighbours have their vectors', async () => {
    const input = join(folder, 'poison.jsonl')
    const texts = records.slice(0, 40).map(({ text }) => text)
    writeFileSync(input, lines(texts.map((text) => ({ text }))))
    await planned('clean', { inputs: [input] })
    await worked('clean')
    texts[23] = 'a deadly poison'
    writeFileSync(input, lines(texts.map((text) => ({ text }))))
    await planned('poison', { inputs: [input] })
    const entry = join(root, 'test/fixtures/poisoned-child.mjs')
    const isolation = { entry, retry: false, maxRestarts: 100 }
    await worked('poison', { load: { ...load, isolation } })
    expect((await status(join(folder, 'poison'))).done).toMatchObject({ rows: 40, failed: 1 })
    const rows = rowsIn(files('poison').get('shard-0000000.ids.jsonl')!)
    expect(rows.flatMap(({ error }, i) => (error ? [[i, error.code]] : []))).toEqual([
      [23, 'ERR_PROCESS_DIED'],
    ])
    const [clean, poisoned] = ['clean', 'poison'].map((name) =>
      Buffer.from(files(name).get('shard-0000000.npy')!, 'base64'),
    )
    const [from, to] = [128 + 23 * 256, 128 + 24 * 256]
    expect(poisoned!.subarray(0, from).equals(clean!.subarray(0, from))).toBe(true)
    expect(poisoned!.subarray(to).equals(clean!.subarray(to))).toBe(true)
  })

  it('an input that changed after planning is refused', async () => {
    const input = join(folder, 'changing.jsonl')
    writeFileSync(input, lines(others))
    await planned('changed', { inputs: [input] })
    writeFileSync(input, lines(others.slice(1)))
    const outcomes = await worked('changed')
    for (const { error } of outcomes) expect(error).toMatchObject({ code: 'ERR_INPUT_CHANGED' })
    expect(files('changed').size).toBe(0)
    const { code, stderr } = await command(['work', join(folder, 'changed')]).ended
    expect(code).toBe(1)
    expect(stderr).toContain('is not the file that was planned')
  })

  it('a shard that is there with other bytes is told, and stays', async () => {
    await planned('differs', { inputs: [packed] })
    await worked('differs')
    const shard = join(folder, 'differs', 'shards', 'shard-0000001.npy')
    const bytes = readFileSync(shard)
    bytes[200]! ^= 1
    writeFileSync(shard, bytes)
    rmSync(join(folder, 'differs', 'receipts', 'shard-0000001.json'))
    const [only, ...more] = await worked('differs')
    expect(more).toEqual([])
    expect(only).toMatchObject({ state: 'failed', error: { code: 'ERR_SHARD_DIFFERS' } })
    expect(readFileSync(shard).equals(bytes)).toBe(true)
    expect(await finish({ out: join(folder, 'differs') })).toMatchObject({
      missing: ['shard-0000001'],
    })
    rmSync(shard)
    await worked('differs')
    expect((await finish({ out: join(folder, 'differs') })).totals).toMatchObject({ rows: 230 })
  })

  it('another model, and a folder without a plan', async () => {
    cpSync(join(folder, 'undisturbed', 'manifest.json'), join(folder, 'other', 'manifest.json'))
    const source = new StaticSource({ index: 0, count: 1 })
    const manifest = JSON.parse(readFileSync(join(folder, 'other', 'manifest.json'), 'utf8'))
    manifest.job.fingerprint = 'f'.repeat(32)
    writeFileSync(join(folder, 'other', 'manifest.json'), JSON.stringify(manifest))
    const out = join(folder, 'other')
    await expect(work({ out, source, load })).rejects.toMatchObject({ code: 'ERR_MODEL_MISMATCH' })
    await expect(status(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'ERR_FLEET' })
    expect(existsSync(join(folder, 'nowhere'))).toBe(false)
  })
})

const isHere = { redis: hasRedis, nats: hasNats }
for (const [kind, here] of Object.entries(isHere))
  if (!here) console.log(`79.fleet: ${kind}-server is not installed; its queue is not tested here`)

describe.each((['redis', 'nats'] as const).filter((kind) => isHere[kind]))(
  'a queue on %s',
  (kind) => {
    let server: QueueServer
    let url: string

    beforeAll(async () => {
      const at = mkdtempSync(join(folder, kind))
      server = await (kind === 'redis' ? redisServer(at) : natsServer(at))
      url = server.url
      await server.start()
    })
    afterAll(() => server.kill())

    const opened = (job: string, leaseMs = 2_000): Promise<ShardSource> =>
      kind === 'redis'
        ? BullSource.open({ job, url, lockMs: leaseMs })
        : JetStreamSource.open({ job, url, leaseMs })

    /** All that the server holds is gone. */
    const emptied = async () => {
      if (kind === 'redis') {
        const client = new Redis(url)
        await client.flushall()
        await client.quit()
        return
      }
      const connection = await connect({ servers: url })
      const { streams } = await jetstreamManager(connection)
      for await (const { config } of streams.list()) await streams.delete(config.name)
      await connection.close()
    }

    it('gives a shard of a killed worker to another, and may be lost whole', async () => {
      const { name, shards } = await planned(`queued-${kind}`)
      const out = join(folder, `queued-${kind}`)
      const source = await opened(name)
      const ids = shards.map(({ id }) => id)
      await source.enqueue(ids)
      await source.enqueue(ids)
      expect(await source.counts()).toEqual({ waiting: ids.length, running: 0, done: 0, failed: 0 })

      const words = ['work', out, '--queue', url, '--lease', '2', '--threads', '1']
      const [killed, other] = [command(words), command(words)]
      while ((await source.counts()).done < 2) await sleep(2)
      killed.child.kill('SIGKILL')
      await killed.ended
      while ((await source.counts()).done < 6) await sleep(2)

      await emptied()
      const { code, stderr } = await other.ended
      expect(code, stderr).toBe(0)
      const asked = await command(['finish', out, '--queue', url]).ended
      expect(asked.code, asked.stderr).toBe(1)
      const { missing } = await status(out)
      expect(missing.length).toBeGreaterThan(0)
      expect((await source.counts()).waiting).toBe(missing.length)
      const rest = await command(words).ended
      expect(rest.code, rest.stderr).toBe(0)
      expect(files(`queued-${kind}`)).toEqual(undisturbed)
      expect((await finish({ out, source })).totals).toMatchObject({ rows: 1_230 })
      await source.close()
    })

    it('counts what failed for good, and hands back what was released', async () => {
      const signal = new AbortController().signal
      const [first, second] = [await opened('leases', 10_000), await opened('leases', 10_000)]
      await first.enqueue(['shard-1'])
      const held = (await first.claim(signal))!
      await held.fail(new Error('again'), true)
      const again = (await second.claim(signal))!
      expect([again.shard, again.attempt]).toEqual(['shard-1', 2])
      await again.fail(new Error('for good'), false)
      expect(await first.counts()).toEqual({ waiting: 0, running: 0, done: 0, failed: 1 })
      expect(await second.claim(signal)).toBeUndefined()
      await first.enqueue(['shard-1'])
      expect(await second.claim(signal)).toBeUndefined()
      await first.enqueue(['shard-1'], true)
      await (await first.claim(signal))!.release()
      const last = (await second.claim(signal))!
      await last.complete({} as never)
      expect(await first.counts()).toEqual({ waiting: 0, running: 0, done: 1, failed: 0 })
      await first.close()
      await second.close()
    })

    it('takes a lease away from who is silent', async () => {
      const signal = new AbortController().signal
      const [first, second] = [await opened('silent', 500), await opened('silent', 500)]
      await first.enqueue(['shard-1'])
      const held = (await first.claim(signal))!
      // As a frozen process: it says nothing for longer than its lease.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_200)
      const again = (await second.claim(signal))!
      expect(again.shard).toBe('shard-1')
      while (!held.lost.aborted) await sleep(10)
      await expect(held.complete({} as never)).rejects.toThrow()
      await again.complete({} as never)
      expect(await first.counts()).toEqual({ waiting: 0, running: 0, done: 1, failed: 0 })
      await first.close()
      await second.close()
    })
  },
)

it('knows its number from Kubernetes, Slurm and Batch', () => {
  expect(shareOf({ JOB_COMPLETION_INDEX: '3' }, 8)).toEqual({ index: 3, count: 8 })
  expect(() => shareOf({ JOB_COMPLETION_INDEX: '3' })).toThrow('count')
  const batch = { AWS_BATCH_JOB_ARRAY_INDEX: '0', AWS_BATCH_JOB_ARRAY_SIZE: '4' }
  expect(shareOf(batch)).toEqual({ index: 0, count: 4 })
  expect(shareOf({})).toBeUndefined()
  expect(() => new StaticSource({ index: 4, count: 4 })).toThrow(RangeError)
})

const bytesOf = (vector: Float32Array) =>
  Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength)

interface IdRow {
  id: string | number
  error?: { code: string; message: string }
}

const rowsIn = (base64: string): IdRow[] =>
  `${Buffer.from(base64, 'base64')}`
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
