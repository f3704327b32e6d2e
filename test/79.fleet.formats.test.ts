// What a fleet reads and writes: every input gives the records it holds, every output the same vectors.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import {
  Field,
  FixedSizeList,
  Float32,
  Table,
  tableFromIPC,
  tableToIPC,
  Utf8,
  vectorFromArray,
} from 'apache-arrow'
import * as parquet from 'parquet-wasm/node'
import { Embedder } from 'qwen3-embed'
import {
  finish,
  metricsText,
  openStore,
  plan,
  type PlanOptions,
  readJob,
  readRows,
  StaticSource,
  status,
  work,
} from 'qwen3-embed/fleet'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { csvValues } from '../lib/fleet/input/records.ts'
import { ObjectServer } from './fixtures/object-server.ts'

const folder = mkdtempSync(join(tmpdir(), 'fleet-formats-'))
const load = { threads: 1 }
let embedder: Embedder
const server = new ObjectServer()
const before = { ...process.env }

beforeAll(async () => {
  await server.start()
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: 'key',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_ENDPOINT_URL_S3: server.url,
  })
  embedder = await Embedder.load('mini', load)
})
afterAll(async () => {
  process.env = before
  await embedder.close()
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
})

const texts = Array.from(
  { length: 200 },
  (_, i) => `line ${i}, "quoted",${i % 7 ? '' : '\n a second line,'} and ${'more '.repeat(i % 9)}`,
)
const records = texts.map((text, i) => ({ id: `r${i}`, text }))

async function all<T>(some: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const one of some) found.push(one)
  return found
}

interface Told {
  id: string | number
  tokens: number
  vector?: number[]
  error?: { code: string; message: string }
}

/** A whole job in this process; its rows in their order. */
async function ran(name: string, more: Partial<PlanOptions>): Promise<Told[]> {
  const out = more.out ?? join(folder, name)
  const fixed = { shardBytes: 3_000, model: 'mini', dimensions: 32, format: 'jsonl' as const }
  const job = await plan({ ...fixed, inputs: [], embedder, ...more, out })
  const source = new StaticSource({ index: 0, count: 1 })
  await source.enqueue(job.shards.map(({ id }) => id))
  const errors: unknown[] = []
  await work({ out, source, load, onShard: ({ error }) => error && errors.push(error) })
  expect(errors).toEqual([])
  expect((await finish({ out })).totals).toMatchObject({ shards: job.shards.length })
  expect((await status(out)).missing).toEqual([])
  if (job.job.format !== 'jsonl') return []
  const rows: Told[] = []
  for (const { id } of job.shards) {
    for await (const chunk of openStore(out).read(`shards/${id}.jsonl`))
      rows.push(
        ...`${chunk}`
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line)),
      )
  }
  return rows
}

const lines = () => records.map((one) => JSON.stringify(one)).join('\n')
let expected: Told[]
beforeAll(async () => {
  writeFileSync(join(folder, 'plain.jsonl'), lines())
  expected = await ran('plain', { inputs: [join(folder, 'plain.jsonl')] })
  expect(expected.map(({ id }) => id)).toEqual(records.map(({ id }) => id))
})

const quoted = (value: string) => `"${value.replaceAll('"', '""')}"`
const csv = (delimiter: string) =>
  `\uFEFFid${delimiter}other${delimiter}text\r\n${records
    .map(({ id, text }) => [id, 'x', quoted(text)].join(delimiter))
    .join('\r\n')}\r\n`

/** Row groups of `rows`, with 64-bit numbers for ids. */
function parquetOf(rows: number): Uint8Array {
  const table = new Table({
    number: vectorFromArray(records.map((_, i) => BigInt(i))),
    text: vectorFromArray(texts, new Utf8()),
  })
  const properties = new parquet.WriterPropertiesBuilder()
    .setMaxRowGroupSize(rows)
    .setCompression(parquet.Compression.ZSTD)
    .build()
  const stream = tableToIPC(table, 'stream')
  return parquet.writeParquet(parquet.Table.fromIPCStream(stream), properties)
}

describe('inputs', () => {
  it('compressed, CSV and TSV give the same rows', async () => {
    writeFileSync(join(folder, 'packed.jsonl.gz'), gzipSync(lines()))
    writeFileSync(join(folder, 'table.csv'), csv(','))
    writeFileSync(join(folder, 'table.tsv'), csv('\t'))
    writeFileSync(join(folder, 'table.csv.gz'), gzipSync(csv(',')))
    for (const name of ['packed.jsonl.gz', 'table.csv', 'table.tsv', 'table.csv.gz']) {
      const out = join(folder, `of ${name}`)
      expect(await ran(name, { inputs: [join(folder, name)], out }), name).toEqual(expected)
      const job = await readJob(out)
      expect(job.shards.length).toBeGreaterThan(3)
      // A compressed file is read once: each shard has a piece of its own, a plain one its bytes.
      const isPacked = name.endsWith('.gz')
      for (const { piece, bytes } of job.shards)
        expect([piece !== undefined, bytes !== undefined]).toEqual([isPacked, !isPacked])
    }
  })

  it('the plan of a compressed file is the same again, and needs the file no more', async () => {
    const inputs = [join(folder, 'moved.jsonl.gz')]
    cpSync(join(folder, 'packed.jsonl.gz'), inputs[0]!)
    const out = join(folder, 'moved')
    const options = { inputs, out, embedder, model: 'mini', shardBytes: 3_000, dimensions: 32 }
    const { name } = await plan(options)
    expect((await plan(options)).name).toBe(name)
    rmSync(inputs[0]!)
    const source = new StaticSource({ index: 0, count: 1 })
    await source.enqueue((await status(out)).missing)
    expect(await work({ out, source, load })).toMatchObject({ failed: 0, rows: 200 })
  })

  it('zstd of several frames', async () => {
    // zstandard.ZstdCompressor(level=9).compress, 30 records each, one after the other.
    const input = new URL('fixtures/two-frames.jsonl.zst', import.meta.url).pathname
    const rows = await ran('zstd', { inputs: [input], shardBytes: 1_000 })
    expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 60 }, (_, i) => `z${i}`))
    expect(rows.every(({ vector }) => vector?.length === 32)).toBe(true)
  })

  it('Parquet by row groups, and parts of large ones', async () => {
    for (const rows of [7, 64, 200]) {
      const input = join(folder, `groups-${rows}.parquet`)
      writeFileSync(input, parquetOf(rows))
      const out = join(folder, `groups-${rows}`)
      const got = await ran(out, { inputs: [input], out, id: 'number' })
      expect(got).toEqual(expected.map((row, i) => ({ ...row, id: i })))
      const { shards } = await readJob(out)
      expect(shards.length).toBeGreaterThan(3)
      if (rows === 7) for (const { first } of shards) expect(first % 7).toBe(0)
    }
  })

  it('what is wrong with one is told', async () => {
    const wrong = async (name: string, bytes: string | Uint8Array, more = {}) => {
      const input = join(folder, name)
      writeFileSync(input, bytes)
      const out = join(folder, `wrong ${name}`)
      const error = await plan({ inputs: [input], out, embedder, ...more }).catch((error) => error)
      return `${error.code} ${error.message}`
    }
    expect(await wrong('a.csv', 'id,body\n1,x\n')).toMatch(
      /ERR_FLEET.*no column "text".*--text: id, body/,
    )
    expect(await wrong('b.parquet', 'PAR1 no')).toMatch(/ERR_FLEET.*is no Parquet file/)
    expect(await wrong('c.parquet', parquetOf(50), { text: 'body' })).toMatch(
      /--text: number, text/,
    )
    expect(await wrong('d.parquet.gz', '')).toMatch(/ERR_FLEET.*row groups cannot be reached/)
    expect(await wrong('e.jsonl.gz', gzipSync(lines()).subarray(0, 900))).toMatch(/unexpected end/)
    expect(await wrong('f.jsonl.zst', 'no zstd')).toMatch(/zstd|Unknown frame|invalid/i)
    expect(csvValues('a,"b ""c"", d",,', ',')).toEqual(['a', 'b "c", d', '', ''])
    expect(() => csvValues('"a', ',')).toThrow('not closed')
    writeFileSync(join(folder, 'short.csv'), 'id,text\n1,one\n2\n"3","th"ree\n4,four')
    const rows = await ran('short', { inputs: [join(folder, 'short.csv')] })
    expect(rows.map(({ id, error }) => [id, error?.code])).toEqual([
      ['1', undefined],
      [1, 'ERR_RECORD'],
      [2, 'ERR_RECORD'],
      ['4', undefined],
    ])
  })
})

describe('outputs', () => {
  it('Parquet holds fixed-size lists, what failed as null, and of what the vectors are', async () => {
    writeFileSync(join(folder, 'bad.jsonl'), `${lines()}\n{broken`)
    const out = join(folder, 'as-parquet')
    await ran('as-parquet', { inputs: [join(folder, 'bad.jsonl')], format: 'parquet', out })
    const { shards, job, name } = await readJob(out)
    const rows = shards.flatMap(({ id }) => {
      const bytes = readFileSync(join(out, 'shards', `${id}.parquet`))
      const file = parquet.readParquet(bytes)
      const table = tableFromIPC(file.intoIPCStream())
      const { type } = table.getChild('vector')!
      expect(`${type}`).toBe(`${new FixedSizeList(32, new Field('item', new Float32(), false))}`)
      const kept = `${bytes}`
      expect(kept).toContain(name)
      expect(kept).toContain(job.fingerprint)
      return table.toArray().map((row) => row.toJSON())
    })
    expect(rows.length).toBe(201)
    for (const [i, row] of rows.slice(0, 200).entries()) {
      expect(row).toMatchObject({ id: `r${i}`, tokens: expected[i]!.tokens, error: null })
      const numbers = Array.from(row.vector, (value: number) => Number(value.toPrecision(9)))
      expect(numbers).toEqual(expected[i]!.vector)
    }
    expect(rows[200]).toMatchObject({ id: '200', vector: null, error: /ERR_RECORD/ })
  })

  it('finish finds and mends what was damaged', async () => {
    const out = join(folder, 'damaged')
    const options = {
      inputs: [join(folder, 'plain.jsonl')],
      out,
      embedder,
      model: 'mini',
      shardBytes: 3_000,
    }
    const job = await plan(options)
    const everything = async () => {
      const source = new StaticSource({ index: 0, count: 1 })
      await source.enqueue((await status(out)).missing)
      await work({ out, source, load })
      return readdirSync(join(out, 'shards')).map((name) =>
        readFileSync(join(out, 'shards', name), 'base64'),
      )
    }
    const whole = await everything()
    const [one, two] = [job.shards[1]!.id, job.shards[2]!.id]
    const damage = (name: string) => {
      const bytes = readFileSync(join(out, 'shards', name))
      bytes[bytes.length - 3]! ^= 1
      writeFileSync(join(out, 'shards', name), bytes)
    }
    damage(`${one}.npy`)
    damage(`${two}.ids.jsonl`)
    expect((await status(out)).missing).toEqual([])
    const given: string[] = []
    const source = { enqueue: async (ids: string[]) => void given.push(...ids) }
    const found = await finish({ out, source: source as never })
    expect(found).toMatchObject({ missing: [one, two], damaged: [one, two] })
    expect(given).toEqual([one, two])
    expect(await everything()).toEqual(whole)
    expect((await finish({ out })).totals).toMatchObject({ rows: 200, failed: 0 })
  })
})

describe('loading', () => {
  it('reads back the rows of every format, and goes on after a shard', async () => {
    const inputs = [join(folder, 'bad.jsonl')]
    writeFileSync(inputs[0]!, `${lines()}\n{broken`)
    const of = async (format: 'npy' | 'jsonl' | 'parquet') => {
      const out = join(folder, `rows-${format}`)
      await ran(out, { inputs, format, out })
      const shards = await all(readRows(out))
      const later = await all(readRows(out, shards[1]!.shard))
      expect(later).toEqual(shards.slice(2))
      return shards.flatMap(({ rows }) => rows.map((row) => ({ ...row, id: `${row.id}` })))
    }
    const npy = await of('npy')
    expect(npy.length).toBe(201)
    expect(npy[200]).toMatchObject({ id: '200', vector: null, error: { code: 'ERR_RECORD' } })
    expect(npy.slice(0, 200).every(({ vector }) => vector?.length === 32)).toBe(true)
    expect(await of('jsonl')).toEqual(npy)
    expect(await of('parquet')).toEqual(npy)
  })

  it('into LanceDB, as the example does it', () => {
    const script = new URL('../examples/fleet/load-lancedb.js', import.meta.url).pathname
    const words = [script, join(folder, 'rows-npy'), join(folder, 'lance'), 'passages']
    expect(execFileSync(process.execPath, words, { encoding: 'utf8' })).toMatch(/^200 rows$/m)
  })
})

it('the dashboard asks for what a job tells', async () => {
  const found = await status(join(folder, 'plain'))
  const text = metricsText({ ...found, queue: { waiting: 1, running: 0, done: 2, failed: 0 } })
  const told = new Set([...text.matchAll(/^(qwen3_embed_fleet_\w+)\{/gm)].map(([, name]) => name))
  const dashboard = readFileSync(new URL('../examples/fleet/grafana.json', import.meta.url), 'utf8')
  const asked = new Set([...dashboard.matchAll(/qwen3_embed_fleet_\w+/g)].map(([name]) => name))
  expect([...asked].sort()).toEqual(
    [...told].filter((name) => name !== 'qwen3_embed_fleet_finished').sort(),
  )
  expect(text).toContain(`qwen3_embed_fleet_rows{fleet="${found.job}",state="done"} 200\n`)
  expect(text).toMatch(/^qwen3_embed_fleet_shards_left\{fleet="\w+"\} 0$/m)
})

describe('in an object store', () => {
  it('inputs and job give the same rows, while the store is busy now and then', async () => {
    let asked = 0
    server.fault = () =>
      (['none', 'busy', 'none', 'cut', 'none', 'none', 'deaf'] as const)[asked++ % 41] ?? 'none'
    for (const [i, half] of [records.slice(0, 90), records.slice(90)].entries()) {
      const bytes = Buffer.from(half.map((one) => JSON.stringify(one)).join('\n'))
      server.objects.set(`corpus/${i}.jsonl`, { bytes, etag: `"${i}"`, headers: {} })
    }
    server.objects.set('tables/t.parquet', {
      bytes: Buffer.from(parquetOf(50)),
      etag: '"p"',
      headers: {},
    })
    const job = { inputs: ['s3://bucket/corpus/'], out: 's3://bucket/jobs/one' }
    expect(await ran('s3', job)).toEqual(expected)
    const other = { inputs: ['s3://bucket/tables/t.parquet'], out: join(folder, 'from-s3') }
    expect(await ran('from-s3', { ...other, id: 'none' })).toEqual(
      expected.map((row, i) => ({ ...row, id: i })),
    )
    const names = [...server.objects.keys()].filter((name) => name.startsWith('jobs/one/'))
    expect(names).toContain('jobs/one/_SUCCESS')
    server.objects.set('corpus/1.jsonl', { bytes: Buffer.from('{}'), etag: '"new"', headers: {} })
    for (const name of names.filter((name) => /receipts|shards/.test(name)))
      server.objects.delete(name)
    const source = new StaticSource({ index: 0, count: 1 })
    await source.enqueue((await readJob(job.out)).shards.map(({ id }) => id))
    const codes = new Set<unknown>()
    await work({
      out: job.out,
      source,
      load,
      onShard: ({ error }) => codes.add((error as { code?: string })?.code),
    })
    expect(codes).toEqual(new Set([undefined, 'ERR_INPUT_CHANGED']))
  })
})

// Drafts of object stores lie in the folder for temporary files, and none stays.
afterAll(() => {
  const left = readdirSync(tmpdir()).filter(
    (name) => name.startsWith('qwen3-embed.') && name.includes(`.${process.pid}.`),
  )
  expect(left).toEqual([])
})
