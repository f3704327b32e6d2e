// Inputs cut into shards by bytes, so that each takes about the same time.
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { misuse, refuseUnknown } from '../errors.ts'
import type { Embedder } from '../index.ts'
import { Meter, type OnProgress } from '../progress.ts'
import { folderOf } from './folder.ts'
import {
  type Job,
  type PlannedInput,
  type Shard,
  type ShardFormat,
  writeManifest,
} from './manifest.ts'
import { isCompressed, parseRecord, recordLines } from './records.ts'

export interface PlanOptions {
  /** JSON lines, plain or .gz: strings, or objects with a text. */
  inputs: readonly string[]
  /** The job's folder; every worker must see it under some path. */
  out: string
  /** The model, loaded; it stays its owner's. */
  embedder: Embedder
  /** The name to plan with, for workers that are not told another. @default the embedder's path */
  model?: string | undefined
  /** Bytes of records in a shard: aim at some minutes of work. @default 2,000,000 */
  shardBytes?: number | undefined
  /** @default 'npy' */
  format?: ShardFormat | undefined
  /** @default none: documents as the model's family writes them */
  instruction?: string | undefined
  /** @default all */
  dimensions?: number | undefined
  /** @default 'error' */
  truncate?: 'error' | 'end' | undefined
  /** Pin every worker to kernels of this name. @default 'any': the first result of a shard stands */
  kernels?: string | undefined
  /** The field that holds the text. @default 'text' */
  text?: string | undefined
  /** The field that holds a record's id; without it its number in its file is its id. @default 'id' */
  id?: string | undefined
  signal?: AbortSignal | undefined
  /** `phase: 'plan'`, bytes of the files. */
  onProgress?: OnProgress | undefined
}

const known = [
  'inputs',
  'out',
  'embedder',
  'model',
  'shardBytes',
  'format',
  'instruction',
  'dimensions',
  'truncate',
  'kernels',
  'text',
  'id',
  'signal',
  'onProgress',
] as const satisfies readonly (keyof PlanOptions)[]

/**
 * Reads the inputs once and writes `manifest.json`. The same files and options give the same job.
 *
 * @throws Qwen3Error `ERR_FLEET` where the folder holds another job; TypeError or RangeError for wrong options.
 */
export async function plan(options: PlanOptions): Promise<Job> {
  refuseUnknown(options, known, 'option')
  const { embedder, signal, onProgress, shardBytes = 2_000_000 } = options
  const { format = 'npy', instruction = '', truncate = 'error', kernels = 'any' } = options
  const dimensions = options.dimensions ?? embedder.dimensions
  if (!Array.isArray(options.inputs) || options.inputs.length === 0)
    throw misuse(TypeError, 'a list of files', 'the option inputs', options.inputs)
  if (!Number.isInteger(shardBytes) || shardBytes < 1)
    throw misuse(RangeError, 'a whole number of at least 1', 'the option shardBytes', shardBytes)
  if (!Number.isInteger(dimensions) || dimensions < 32 || dimensions > embedder.dimensions)
    throw misuse(
      RangeError,
      `a whole number from 32 to ${embedder.dimensions}`,
      'the option dimensions',
      dimensions,
    )
  if (format !== 'npy' && format !== 'jsonl')
    throw misuse(TypeError, "'npy' or 'jsonl'", 'the option format', format)
  if (truncate !== 'error' && truncate !== 'end')
    throw misuse(TypeError, "'error' or 'end'", 'the option truncate', truncate)
  const facts = await Promise.all(options.inputs.map((path) => stat(path)))
  const total = facts.reduce((sum, { size }) => sum + size, 0)
  const meter = new Meter({ phase: 'plan', unit: 'bytes', total }, onProgress)
  const inputs: PlannedInput[] = []
  const shards: Shard[] = []
  let before = 0
  for (const [i, given] of options.inputs.entries()) {
    const path = resolve(given)
    const { size, mtimeMs: modified } = facts[i]!
    const cut = await shardsOf(path, shardBytes, signal, (at) =>
      meter.reach(before + Math.min(at, size)),
    )
    for (const shard of cut) shards.push({ id: idOf(shards.length), input: i, ...shard })
    inputs.push({ path, size, modified, records: cut.reduce((sum, { rows }) => sum + rows, 0) })
    before += size
  }
  meter.done()
  const { fingerprint, queryFingerprint, path } = embedder.info
  const job = {
    model: options.model ?? path,
    fingerprint: instruction === '' ? fingerprint : queryFingerprint,
    instruction,
    dimensions,
    maxTokens: embedder.maxTokens,
    truncate,
    format,
    kernels,
    text: options.text ?? 'text',
    id: options.id ?? 'id',
  }
  return writeManifest(folderOf(options.out), { version: 1, job, inputs, shards })
}

/** A number first would be taken for a queue's own. */
const idOf = (index: number) => `shard-${`${index}`.padStart(7, '0')}`

async function shardsOf(
  path: string,
  most: number,
  signal: AbortSignal | undefined,
  onBytes: (at: number) => void,
): Promise<Omit<Shard, 'id' | 'input'>[]> {
  const shards: Omit<Shard, 'id' | 'input'>[] = []
  const isPlain = !isCompressed(path)
  let first = 0
  let rows = 0
  let from = 0
  let to = 0
  const close = () => {
    if (rows > 0) shards.push({ first, rows, ...(isPlain ? { bytes: [from, to] as const } : {}) })
    first += rows
    rows = 0
    from = to
  }
  for await (const lines of recordLines(path, signal)) {
    for (const line of lines) {
      if (rows > 0 && line.to - from > most) close()
      if (rows === 0) from = line.from
      rows++
      to = line.to
    }
    onBytes(to)
  }
  close()
  return shards
}

/** How fast one worker is, and what a million records take at that speed. */
export interface Estimate {
  /** Records a second of one worker. */
  readonly rate: number
  readonly workerHours: number
  readonly workerHoursPerMillion: number
}

/** From a rate (records a second of one worker) that was measured elsewhere, or by {@link measure}. */
export function estimate(job: Job, rate: number): Estimate {
  const records = job.inputs.reduce((sum, { records }) => sum + records, 0)
  return { rate, workerHours: records / rate / 3600, workerHoursPerMillion: 1e6 / rate / 3600 }
}

const sampleShards = 8
const samplePerShard = 16

/** Embeds the first records of some shards. @returns records a second */
export async function measure(job: Job, embedder: Embedder, signal?: AbortSignal): Promise<number> {
  const { dimensions, instruction } = job.job
  const readable = job.shards.filter(({ first, bytes }) => bytes !== undefined || first === 0)
  const step = Math.max(1, Math.floor(readable.length / sampleShards))
  const texts: string[] = []
  for (let i = 0; i < readable.length && i < step * sampleShards; i += step) {
    const { input, bytes, rows } = readable[i]!
    let left = Math.min(samplePerShard, rows)
    for await (const lines of recordLines(job.inputs[input]!.path, signal, bytes)) {
      for (const line of lines.slice(0, left)) {
        const parsed = parseRecord(line.bytes, job.job, 0)
        if ('text' in parsed) texts.push(parsed.text)
      }
      left -= lines.length
      if (left <= 0) break
    }
  }
  await embedder.warm(signal ? { signal } : {})
  const startedAt = performance.now()
  await embedder.embedEach(texts, { instruction, dimensions, truncate: 'end', signal })
  return texts.length / ((performance.now() - startedAt) / 1000)
}
