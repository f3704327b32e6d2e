import { createHash } from 'node:crypto'
import { open, readFile, rename, unlink } from 'node:fs/promises'
import { Misuse } from './misuse.ts'

/** What decides the bytes of a row; rows of two jobs must never meet in one file. */
export interface JobIdentity {
  readonly model: string
  readonly instruction: string
  readonly dimensions: number
  readonly pooling: string
  readonly normalize: boolean
  readonly format: string
}

/** `FILE.progress`: how much of `FILE.partial` is there for good. */
export interface Checkpoint {
  readonly version: 1
  readonly job: JobIdentity
  readonly rows: number
  readonly bytes: number
  readonly tokens: number
  readonly failed: number
  /** Of all texts so far, so that another input is noticed. */
  readonly digest: string
  /** All rows are written; only the last rename may be missing. */
  readonly complete: boolean
}

export const noTexts = ''

export function digestWith(digest: string, text: string): string {
  return createHash('sha256').update(digest).update('\n').update(text).digest('base64')
}

export async function readCheckpoint(
  path: string,
  job: JobIdentity,
): Promise<Checkpoint | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return undefined
  const found = parse(text)
  if (found?.version !== 1) {
    throw new Misuse(`${path} is no progress file of this version; --restart begins anew`)
  }
  const names = Object.keys(job) as (keyof JobIdentity)[]
  const different = names.filter((name) => found.job?.[name] !== job[name])
  if (different.length > 0) {
    const pairs = different.map(
      (name) => `${name} was ${JSON.stringify(found.job?.[name])}, is ${JSON.stringify(job[name])}`,
    )
    throw new Misuse(
      `${path} belongs to another job (${pairs.join('; ')}). Finish that one with its options, ` +
        'choose another --output, or begin anew with --restart',
    )
  }
  return found
}

/** In one step, and for good: a crash leaves this checkpoint or the one before. */
export async function writeCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  const file = await open(`${path}.new`, 'w')
  try {
    await file.writeFile(`${JSON.stringify(checkpoint, null, 2)}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.new`, path)
}

export async function removeFile(path: string): Promise<void> {
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
}

function parse(text: string): Checkpoint | undefined {
  try {
    return JSON.parse(text) as Checkpoint
  } catch {
    return undefined
  }
}
