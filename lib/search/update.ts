// An index brought up to date: what is there, what changed, its words, its vectors. It may end anywhere, and the next
// one goes on.
import type { OnProgress } from '../index.ts'
import { Meter } from '../progress.ts'
import { Reader } from './files/reader.ts'
import type { StoreMethods } from './store/worker.ts'
import type { Thread } from '../thread/thread.ts'
import type { ReadFile, Root, SameFile, Wanted } from './types.ts'

export interface Report {
  /** Files that the walk saw. */
  files: number
  /** Files that were new or changed, and were taken in. */
  read: number
  /** Files taken out, because they are gone. */
  removed: number
  /** Files kept although they are gone: more than half of a folder. */
  kept: number
  /** New or changed files that hold no text, or are too large. */
  skipped: number
  /** New or changed files that could not be read; what was known of them stays. */
  failed: number
  /** Folders that are not there. What was indexed of them stays. */
  missing: string[]
  /** Passages that got a vector of the embedder. */
  embedded: number
  seconds: number
  /** What else there is to know, in sentences. */
  remarks: string[]
}

/** Raised when texts are cut otherwise, or heads or words are others: an index of before is read anew. */
const passagesVersion = 1

/** Files that are being read, or wait for the thread that does it. */
const window = 16
const filesOfAWrite = 64
const bytesOfAWrite = 4 << 20
const writeEveryMs = 1_000

export interface WordsOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
  readonly takeOutMost: boolean
  /** Before each write. */
  readonly hold: () => Promise<void>
  readonly report: Report
}

/** Brings files, passages and words up to date. */
export async function updateWords(
  store: Thread<StoreMethods>,
  options: WordsOptions,
): Promise<void> {
  const { report, hold } = options
  const version = await store.call('meta', ['passages'])
  await hold()
  if (version !== `${passagesVersion}`) {
    if (version !== undefined) {
      await store.call('readAllAnew', [])
      report.remarks.push('This release cuts texts in another way: all files are read anew')
    }
    await store.call('setMeta', ['passages', `${passagesVersion}`])
  }
  const reader = new Reader()
  try {
    // Roots without a folder hold texts that were put there.
    const roots = (await store.call('roots', [])).filter(({ path }) => path !== '')
    const walks = []
    for (const root of roots) walks.push(await walked(store, reader, root, options))
    const wanted = walks.flatMap((walk) => walk.wanted).sort((a, b) => b.mtime - a.mtime)
    await readIn(store, reader, roots, wanted, options)
    for (const { root, unread, isThere } of walks) {
      if (!isThere) continue
      await hold()
      const end = await store.call('endWalk', [root.id, unread, options.takeOutMost])
      report.removed += end.removed
      report.kept += end.kept
      if (end.kept > 0)
        report.remarks.push(
          `More than half of the files of ${root.path} are gone (${end.kept}): they were kept in the index`,
        )
    }
  } finally {
    await reader.close()
  }
}

async function walked(
  store: Thread<StoreMethods>,
  reader: Reader,
  root: Root,
  options: WordsOptions,
) {
  const { report, signal, onProgress } = options
  const meter = new Meter({ phase: 'walk', unit: 'files', total: 0 }, onProgress)
  signal?.throwIfAborted()
  await store.call('beginWalk', [root.id])
  const comparing: Promise<Wanted[]>[] = []
  let seen = 0
  try {
    const { unread } = await reader.walk(root.path, root.rules, (entries) => {
      seen += entries.length
      meter.reach(seen)
      const changed = store.call('compare', [root.id, entries])
      changed.catch(() => {})
      comparing.push(changed)
    })
    report.files += seen
    for (const folder of unread)
      report.remarks.push(`The folder ${root.path}/${folder} cannot be listed`)
    return { root, unread, isThere: true, wanted: (await Promise.all(comparing)).flat() }
  } catch (error) {
    await Promise.allSettled(comparing)
    if ((error as { code?: string }).code !== 'ERR_INDEX_NOT_FOUND') throw error
    report.missing.push(root.path)
    return { root, unread: [], isThere: false, wanted: [] }
  }
}

async function readIn(
  store: Thread<StoreMethods>,
  reader: Reader,
  roots: readonly Root[],
  wanted: readonly Wanted[],
  { report, signal, onProgress, hold }: WordsOptions,
): Promise<void> {
  const byId = new Map(roots.map((root) => [root.id, root]))
  const meter = new Meter({ phase: 'read', unit: 'files', total: wanted.length }, onProgress)
  const reading: Promise<ReadFile | SameFile>[] = []
  let ready: (ReadFile | SameFile)[] = []
  let bytes = 0
  let next = 0
  let done = 0
  let writtenAt = performance.now()
  const write = async () => {
    if (ready.length === 0) return
    await hold()
    await store.call('put', [ready])
    done += ready.length
    for (const { state } of ready) {
      if (state === 'ok') report.read++
      else if (state === 'skipped') report.skipped++
      else if (state === 'failed') report.failed++
    }
    meter.reach(done)
    ready = []
    bytes = 0
    writtenAt = performance.now()
  }
  while (next < wanted.length || reading.length > 0) {
    signal?.throwIfAborted()
    while (next < wanted.length && reading.length < window) {
      const one = wanted[next++]!
      const root = byId.get(one.root)!
      reading.push(reader.read(root.path, root.rules, one))
    }
    const read = await reading.shift()!
    ready.push(read)
    if (read.state !== 'same') bytes += read.text.length
    const isLate = performance.now() - writtenAt > writeEveryMs
    if (ready.length >= filesOfAWrite || bytes >= bytesOfAWrite || isLate) await write()
  }
  await write()
}
