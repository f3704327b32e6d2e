// A file that was not read, as what was read is told.
import { deflateRawSync } from 'node:zlib'
import type { Kind, ReadFile, Wanted } from '../types.ts'
import { Unreadable } from './document.ts'

export function refused(wanted: Wanted, hash: string, error: unknown): ReadFile {
  const state = error instanceof Unreadable ? error.state : 'failed'
  const { code, message } = error as NodeJS.ErrnoException
  return {
    ...{
      wanted,
      state,
      hash,
      kind: 'text' as Kind,
      title: titleOf(wanted.path),
      date: wanted.mtime,
    },
    why:
      error instanceof Unreadable || !code ? `${message}`.slice(0, 300) : (reasons[code] ?? code),
    text: deflateRawSync(''),
    chunks: [],
  }
}

const reasons: Record<string, string> = {
  EACCES: 'no permission to read it',
  EPERM: 'no permission to read it',
  ENOENT: 'it is there no more, or its name is no text',
  EISDIR: 'a folder has taken its place',
  ELOOP: 'a link has taken its place',
  ENXIO: 'not a file',
}

export function titleOf(path: string): string {
  return path.split('/').at(-1)!
}
