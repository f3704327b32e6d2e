// What a job is, in one file: inputs, shards, and all that decides the bytes of a row.
import { createHash } from 'node:crypto'
import { mkdir, open, readFile, stat } from 'node:fs/promises'
import { Qwen3Error } from '../errors.ts'
import { type Folder, folderOf, publish, temporary } from './folder.ts'

export type ShardId = string
export type ShardFormat = 'npy' | 'jsonl'

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
  readonly path: string
  /** In bytes; with `modified` (ms) it tells whether the file is still the one that was planned. */
  readonly size: number
  readonly modified: number
  readonly records: number
}

export interface Shard {
  readonly id: ShardId
  /** Which of `inputs`. */
  readonly input: number
  /** Its first record in that input, from 0; blank lines are no records. */
  readonly first: number
  readonly rows: number
  /** Where its bytes are in a plain file; a compressed one is read from its start. */
  readonly bytes?: readonly [from: number, to: number]
}

export interface Manifest {
  readonly version: 1
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
export async function writeManifest(folder: Folder, manifest: Manifest): Promise<Job> {
  for (const path of [folder.shards, folder.receipts, folder.drafts])
    await mkdir(path, { recursive: true })
  const text = `${JSON.stringify(manifest)}\n`
  const draft = temporary(folder, 'manifest')
  const file = await open(draft, 'wx')
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  const sha256 = createHash('sha256').update(text).digest('hex')
  if ((await publish(draft, folder.manifest, sha256)) === 'different') {
    throw new Qwen3Error(
      'ERR_FLEET',
      `${folder.manifest} is of another job`,
      { path: folder.manifest },
      { remedy: 'Choose another output folder, or remove this one.' },
    )
  }
  return { ...manifest, name: digestOf(manifest) }
}

/** @throws Qwen3Error `ERR_FLEET` where there is none, or none of this version. */
export async function readManifest(folder: Folder): Promise<Job> {
  const text = await readFile(folder.manifest, 'utf8').catch((cause: Error) => {
    throw new Qwen3Error(
      'ERR_FLEET',
      `There is no plan in ${folder.root}: ${cause.message}`,
      { path: folder.manifest },
      { remedy: 'Make one first: qwen3-embed fleet plan INPUT… --out FOLDER.', cause },
    )
  })
  let manifest: Manifest | undefined
  try {
    manifest = JSON.parse(text) as Manifest
  } catch {
    // Told below.
  }
  if (manifest?.version !== 1 || !Array.isArray(manifest.shards)) {
    throw new Qwen3Error('ERR_FLEET', `${folder.manifest} is no plan of this version`, {
      path: folder.manifest,
    })
  }
  return { ...manifest, name: digestOf(manifest) }
}

/**
 * The job of a folder.
 *
 * @throws Qwen3Error `ERR_FLEET` where there is none
 */
export function readJob(out: string): Promise<Job> {
  return readManifest(folderOf(out))
}

/** @throws Qwen3Error `ERR_INPUT_CHANGED` */
export async function refuseChanged(input: PlannedInput, shard: ShardId): Promise<void> {
  const facts = await stat(input.path).catch(() => undefined)
  if (facts?.size === input.size && facts.mtimeMs === input.modified) return
  throw inputChanged(
    input,
    shard,
    facts
      ? `it had ${input.size} bytes of ${new Date(input.modified).toISOString()} and has ${facts.size} of ${facts.mtime.toISOString()}`
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
