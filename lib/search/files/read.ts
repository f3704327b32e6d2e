// One file: its bytes while they hold still, its text, its passages.
import { createHash } from 'node:crypto'
import { constants, type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import type { ReadFile, Rules, SameFile, Wanted } from '../types.ts'
import type { Document as Given } from '../options.ts'
import { type Document, Unreadable } from './document.ts'
import { parserOf } from './kinds.ts'
import { passagesOf } from './passages.ts'
import { refused, titleOf } from './refused.ts'

const largestText = 20 << 20
const largestPdf = 200 << 20
/** Characters that are kept of one document. */
const longestText = 20_000_000
/** A file written so shortly ago may be written again within one tick of its clock. */
const unsettledMs = 50
const triesWhileChanging = 3

export async function readFile(
  root: string,
  rules: Rules,
  wanted: Wanted,
): Promise<ReadFile | SameFile> {
  let hash = ''
  try {
    const isPdf = /\.pdf$/i.test(wanted.path)
    const limit = rules.maxFile ?? (isPdf ? largestPdf : largestText)
    const { bytes, entry, modified } = await steady(join(root, wanted.path), wanted, limit)
    hash = createHash('sha256').update(bytes).digest('hex')
    if (hash === wanted.hash) return { wanted: entry, state: 'same' }
    const parse = await parserOf(wanted.path)
    return await readDocument(await parse(bytes, wanted.path), entry, hash, modified)
  } catch (error) {
    return refused(wanted, hash, error)
  }
}

async function readDocument(
  document: Document,
  wanted: Wanted,
  hash: string,
  modified: number,
): Promise<ReadFile> {
  const text = document.text.slice(0, longestText)
  const remark = document.text.length > longestText ? 'cut: too long' : (document.remark ?? '')
  return {
    ...{ wanted, state: 'ok', why: remark, hash, kind: document.kind },
    title: document.title || titleOf(wanted.path),
    date: document.date ?? modified,
    text: deflateRawSync(text, { level: 4 }),
    chunks: await passagesOf({ ...document, text }, wanted.path),
  }
}

/** A text that is no file. */
export function readGiven(root: number, given: Given): Promise<ReadFile> {
  const { path, text, title = '', kind = 'markdown', date = Date.now() } = given
  const hash = createHash('sha256')
    .update(JSON.stringify([text, title, kind]))
    .digest('hex')
  const cut = kind === 'table' ? 'rows' : kind
  const wanted = { root, path, size: text.length, mtime: date, inode: 0, hash: undefined }
  return readDocument({ kind, text, cut, title }, wanted, hash, date)
}

/** All bytes, of one moment: a file that is being written is read again, and is looked at again at the next walk. */
async function steady(
  path: string,
  wanted: Wanted,
  limit: number,
): Promise<{ bytes: Buffer; entry: Wanted; modified: number }> {
  for (let tries = 1; ; tries++) {
    // A link or a pipe that came since must be neither followed nor waited for.
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      const before = await file.stat()
      if (!before.isFile()) throw new Unreadable('skipped', 'not a file')
      if (before.size > limit)
        throw new Unreadable('skipped', `larger than ${Math.round(limit / 2 ** 20)} MiB`)
      const bytes = await readAll(file, before.size)
      const after = await file.stat()
      const held =
        before.size === after.size &&
        before.mtimeMs === after.mtimeMs &&
        bytes.length === after.size
      if (!held && tries < triesWhileChanging) continue
      const isSettled = held && Date.now() - after.mtimeMs > unsettledMs
      const entry = {
        ...wanted,
        ...{ size: after.size, inode: Number(after.ino), mtime: isSettled ? after.mtimeMs : -1 },
      }
      return { bytes, entry, modified: after.mtimeMs }
    } finally {
      await file.close()
    }
  }
}

async function readAll(file: FileHandle, size: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(size)
  let done = 0
  while (done < size) {
    const { bytesRead } = await file.read(bytes, done, size - done, done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return bytes.subarray(0, done)
}
