// Where a job's files, and its inputs, are: names under a root, each of which appears whole or not at all.
import { basename, dirname, resolve } from 'node:path'
import { misuse } from '../../errors.ts'
import { azureStore } from './azure.ts'
import { FileStore } from './file-store.ts'
import { gcsStore } from './gcs.ts'
import { s3Store } from './s3.ts'

export interface Item {
  readonly name: string
  /** In bytes. */
  readonly size: number
  /** Another one after every change: the time of change in ms, or an ETag. */
  readonly version: string
}

/** 'same' and 'different': something of that name was there, and stays. */
export type Published = 'created' | 'same' | 'different'

export interface Store {
  /** A folder of this machine, or `s3://bucket/prefix`. */
  readonly root: string
  stat(name: string): Promise<Item | undefined>
  /** All below a prefix, in no order that could be relied on. */
  list(prefix: string): AsyncIterable<Item>
  /**
   * Bytes `from` to before `to`. All are of one version, also where a connection broke between them.
   *
   * @throws an error with the code ENOENT where nothing has that name
   */
  read(name: string, from?: number, to?: number, signal?: AbortSignal): AsyncIterable<Buffer>
  /** A path of this machine for a file that will be published. */
  draft(name: string): Promise<string>
  /** Gives a finished draft its name, if nothing has it, and removes the draft. `sha256` is the draft's. */
  publish(name: string, draft: string, sha256: string): Promise<Published>
  /** Nothing happens where nothing has that name. */
  remove(name: string): Promise<void>
  /** Removes what killed processes left of drafts, as far as it can be reached. */
  sweep(): Promise<void>
}

/** @throws TypeError for an address of an unknown kind */
export function openStore(root: string): Store {
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(root)?.[1]?.toLowerCase()
  switch (scheme) {
    case undefined:
      return new FileStore(resolve(root))
    case 'file':
      return new FileStore(decodeURIComponent(new URL(root).pathname))
    case 's3':
      return s3Store(root)
    case 'gs':
      return gcsStore(root)
    case 'az':
      return azureStore(root)
    default:
      throw misuse(TypeError, 'a folder, s3://, gs:// or az://', 'the place', root)
  }
}

export const isRemote = (path: string): boolean => /^(s3|gs|az):\/\//i.test(path)

/** The store of one file, and its name there. */
export function locate(path: string): { store: Store; name: string } {
  if (!isRemote(path)) return { store: openStore(dirname(resolve(path))), name: basename(path) }
  const cut = path.lastIndexOf('/')
  return { store: openStore(path.slice(0, cut)), name: path.slice(cut + 1) }
}

/** All of it; for small files. */
export async function readWhole(store: Store, name: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of store.read(name)) chunks.push(chunk)
  return Buffer.concat(chunks)
}
