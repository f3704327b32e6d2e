// What a job is, in one file: inputs, shards, and all that decides the bytes of a row.
import { createHash } from 'node:crypto'
import { Qwen3Error } from '../errors.ts'
import { manifestName } from './job-files.ts'
import { publishBytes } from './stores/draft.ts'
import { locate, openStore, readWhole, type Store } from './stores/store.ts'

export type ShardId = string
export type ShardFormat = 'npy' | 'jsonl' | 'parquet'

/** What decides the bytes of a row. */
export interface JobFacts {
  /** The name it was planned with; a worker may have the same file elsewhere. */
  readonly model: string
  readonly fingerprint: string
  /** '' for documents as the model's family writes them. */
  readonly instruction: string
  readonly dimensions: number
  readonly maxTokens: number
  readonly truncate: 'error' | 'end'
  readonly format: ShardFormat
  /** The kernels every worker must have, or 'any': then the first result of a shard stands. */
  readonly kernels: string
  /** Fields of a record. */
  readonly text: string
  readonly id: string
}

export interface PlannedInput {
  /** On this machine, or in an object store. */
  readonly path: string
  /** In bytes; with `version` (its time in ms, or its ETag) it tells whether the file is still the one that was planned. */
  readonly size: number
  readonly version: string
  readonly records: number
  /** Of CSV: its first line. */
  readonly columns?: readonly string[]
}

export interface Shard {
  readonly id: ShardId
  /** Which of `inputs`. */
  readonly input: number
  /** Its first record in that input, from 0; blank lines are no records. */
  readonly first: number
  readonly rows: number
  /** Where its bytes are in a plain file of text. */
  readonly bytes?: readonly [from: number, to: number]
  /** Of a compressed input: the file, in the job's place, that holds its records. */
  readonly piece?: string
}

export interface Manifest {
  readonly version: 2
  readonly job: JobFacts
  readonly inputs: readonly PlannedInput[]
  readonly shards: readonly Shard[]
}

/** A manifest with its digest, which names the job. */
export interface Job extends Manifest {
  readonly name: string
}

export function digestOf(manifest: Manifest): string {
  return createHash('sha256').update(JSON.stringify(manifest)).digest('hex').slice(0, 32)
}

/** @throws Qwen3Error `ERR_FLEET` where there is another job's manifest. */
export async function writeManifest(store: Store, manifest: Manifest): Promise<Job> {
  const bytes = Buffer.from(`${JSON.stringify(manifest)}\n`)
  if ((await publishBytes(store, manifestName, bytes)) === 'different') {
    throw new Qwen3Error(
      'ERR_FLEET',
      `${store.root}/${manifestName} is of another job`,
      { path: store.root },
      { remedy: 'Choose another place for this one, or remove that one.' },
    )
  }
  return { ...manifest, name: digestOf(manifest) }
}

/** @throws Qwen3Error `ERR_FLEET` where there is none, or none of this version. */
export async function readManifest(store: Store): Promise<Job> {
  const text = await readWhole(store, manifestName).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT') throw cause
    throw new Qwen3Error(
      'ERR_FLEET',
      `There is no plan in ${store.root}`,
      { path: store.root },
      { remedy: 'Make one first: qwen3-embed fleet plan INPUT… --out FOLDER.', cause },
    )
  })
  let manifest: Manifest | undefined
  try {
    manifest = JSON.parse(`${text}`) as Manifest
  } catch {
    // Told below.
  }
  if (manifest?.version !== 2 || !Array.isArray(manifest.shards)) {
    throw new Qwen3Error('ERR_FLEET', `${store.root}/${manifestName} is no plan of this version`, {
      path: store.root,
    })
  }
  return { ...manifest, name: digestOf(manifest) }
}

/**
 * The job of a folder, or of a place in an object store.
 *
 * @throws Qwen3Error `ERR_FLEET` where there is none
 */
export function readJob(out: string): Promise<Job> {
  return readManifest(openStore(out))
}

/** @throws Qwen3Error `ERR_INPUT_CHANGED` */
export async function refuseChanged(input: PlannedInput, shard: ShardId): Promise<void> {
  const { store, name } = locate(input.path)
  const facts = await store.stat(name)
  if (facts?.size === input.size && facts.version === input.version) return
  throw inputChanged(
    input,
    shard,
    facts
      ? `it had ${input.size} bytes (version ${input.version}) and has ${facts.size} (version ${facts.version})`
      : 'it is not there',
  )
}

export function inputChanged(input: PlannedInput, shard: ShardId, how: string): Qwen3Error {
  return new Qwen3Error(
    'ERR_INPUT_CHANGED',
    `${input.path} is not the file that was planned: ${how}`,
    { path: input.path, shard },
    { remedy: 'Put the planned file back, or plan a new job.' },
  )
}
