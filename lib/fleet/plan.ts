// Inputs cut into shards, and the model asked for all that decides a row.
import { resolve } from 'node:path'
import { misuse, Qwen3Error, refuseUnknown } from '../errors.ts'
import type { Embedder } from '../index.ts'
import { Meter, type OnProgress, reporting } from '../progress.ts'
import { Thread } from '../thread/thread.ts'
import type { InputMethods } from './input/worker.ts'
import {
  type Job,
  type PlannedInput,
  type Shard,
  type ShardFormat,
  writeManifest,
} from './manifest.ts'
import { isRemote, locate, openStore } from './stores/store.ts'

export interface PlanOptions {
  /**
   * JSON lines (strings, or objects with a text), CSV or TSV with a first line of names, plain or .gz or .zst; Parquet.
   * Files of this machine or of object stores; `s3://bucket/prefix/` is all below.
   */
  inputs: readonly string[]
  /** The job's folder, which every worker must see under some path, or `s3://`, `gs://`, `az://`. */
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
 * Reads the inputs once, in a thread, and writes `manifest.json`. The same files and options give the same job.
 *
 * @throws Qwen3Error `ERR_FLEET` where the place holds another job, or an input is none; TypeError or RangeError for
 * wrong options; the signal's reason.
 */
export async function plan(options: PlanOptions): Promise<Job> {
  refuseUnknown(options, known, 'option')
  const stop = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal
  return reporting(
    options.onProgress,
    () => stop.abort(),
    (onProgress) => planning({ ...options, onProgress }, signal),
  )
}

async function planning(options: PlanOptions, signal: AbortSignal): Promise<Job> {
  const { embedder, shardBytes = 2_000_000 } = options
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
  if (!['npy', 'jsonl', 'parquet'].includes(format))
    throw misuse(TypeError, "'npy', 'jsonl' or 'parquet'", 'the option format', format)
  if (truncate !== 'error' && truncate !== 'end')
    throw misuse(TypeError, "'error' or 'end'", 'the option truncate', truncate)
  const fields = { text: options.text ?? 'text', id: options.id ?? 'id' }
  const found = await inputsOf(options.inputs)
  const cutting = { most: shardBytes, fields, out: options.out }
  const { inputs, shards } = await cutAll(found, cutting, signal, options.onProgress)
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
    ...fields,
  }
  return writeManifest(openStore(options.out), { version: 2, job, inputs, shards })
}

type Found = Omit<PlannedInput, 'records' | 'columns'>

/** In their order; those below a prefix by name. */
async function inputsOf(given: readonly string[]): Promise<Found[]> {
  const found: Found[] = []
  for (const one of given) {
    if (isRemote(one) && one.endsWith('/')) {
      const below: Found[] = []
      for await (const { name, size, version } of openStore(one).list(''))
        below.push({ path: `${one}${name}`, size, version })
      found.push(...below.sort((a, b) => (a.path < b.path ? -1 : 1)))
      continue
    }
    const path = isRemote(one) ? one : resolve(one)
    const { store, name } = locate(path)
    const item = await store.stat(name)
    if (!item)
      throw new Qwen3Error('ERR_FLEET', `Expected an input at ${path}, which is not there`, {
        path,
      })
    found.push({ path, size: item.size, version: item.version })
  }
  return found
}

/** A number first would be taken for a queue's own. */
const idOf = (index: number) => `shard-${`${index}`.padStart(7, '0')}`

async function cutAll(
  found: readonly Found[],
  cutting: { most: number; fields: { text: string; id: string }; out: string },
  signal: AbortSignal,
  onProgress: OnProgress | undefined,
): Promise<{ inputs: PlannedInput[]; shards: Shard[] }> {
  const total = found.reduce((sum, { size }) => sum + size, 0)
  const meter = new Meter({ phase: 'plan', unit: 'bytes', total }, onProgress)
  const thread = new Thread<InputMethods>(new URL('./input/worker.js', import.meta.url), {})
  const inputs: PlannedInput[] = []
  const shards: Shard[] = []
  let before = 0
  try {
    for (const [input, facts] of found.entries()) {
      const { path, size } = facts
      const onBytes = (at: unknown) => meter.reach(before + Math.min(at as number, size))
      const cut = await thread
        .call('cut', [{ ...cutting, path, size }], onBytes, signal)
        .catch((error: unknown) => {
          throw signal.aborted ? signal.reason : error
        })
      for (const shard of cut.shards) shards.push({ id: idOf(shards.length), input, ...shard })
      const { records, columns } = cut
      inputs.push({ ...facts, records, ...(columns ? { columns } : {}) })
      before += size
      meter.reach(before)
    }
  } finally {
    await thread.end()
  }
  meter.done()
  return { inputs, shards }
}
