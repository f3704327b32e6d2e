// Where indexes lie, and which one a folder belongs to.
import { readdirSync, statSync } from 'node:fs'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { Qwen3Error } from '../errors.ts'
import { openStore } from './store/schema.ts'

/** Of an index that lies in the folder that it is of. */
export const hereName = '.qwen3-embed.index'
const ending = '.index'

/** `QWEN3_EMBED_DATA`, or `qwen3-embed` where a user's data are. */
export function dataFolder(
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  if (env.QWEN3_EMBED_DATA) return resolve(env.QWEN3_EMBED_DATA)
  if (process.platform === 'win32')
    return join(env.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'qwen3-embed')
  if (process.platform === 'darwin')
    return join(homedir(), 'Library', 'Application Support', 'qwen3-embed')
  return join(env.XDG_DATA_HOME || join(homedir(), '.local', 'share'), 'qwen3-embed')
}

/** The file of an index by its name; a path stays one. */
export async function indexPath(name: string): Promise<string> {
  if (/[\\/]|\.index$/.test(name)) return resolve(name)
  if (!/^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,99}$/u.test(name))
    throw new TypeError(
      `Expected the name of an index, or the path of its file, but received ${JSON.stringify(name)}`,
    )
  const folder = dataFolder()
  await mkdir(folder, { recursive: true })
  return join(folder, `${name}${ending}`)
}

export interface FoundIndex {
  name: string
  path: string
  /** Folders in it. */
  roots: string[]
  /** Why it cannot be opened. */
  problem?: string | undefined
}

/** Those of this user, and those in the folder or above it; the nearest to the folder first. */
export function findIndexes(folder: string): FoundIndex[] {
  const found: FoundIndex[] = []
  for (let at = resolve(folder); ; at = dirname(at)) {
    const path = join(at, hereName)
    if (isFile(path)) found.push(factsOf(path, at))
    if (dirname(at) === at) break
  }
  const own = namesIn(dataFolder()).map((name) =>
    factsOf(join(dataFolder(), name), name.slice(0, -ending.length)),
  )
  const depth = ({ roots }: FoundIndex) =>
    Math.max(-1, ...roots.filter((root) => holds(root, folder)).map((root) => root.length))
  return [...found, ...own.sort((a, b) => depth(b) - depth(a) || (a.name < b.name ? -1 : 1))]
}

/** Whether a folder is another one, or in it. */
export function holds(outer: string, inner: string): boolean {
  const way = relative(outer, resolve(inner))
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

/**
 * Takes an index away, with its journal. The documents are not touched.
 *
 * @throws Qwen3Error `ERR_INDEX_NOT_FOUND`, `ERR_INDEX_BUSY` while another process is indexing
 */
export async function removeIndex(path: string): Promise<void> {
  if (!isFile(path))
    throw new Qwen3Error('ERR_INDEX_NOT_FOUND', `There is no index at ${path}.`, { path })
  const lock = await readFile(`${path}.lock`, 'utf8').catch(() => '')
  const pid = Number(/"pid":(\d+)/.exec(lock)?.[1])
  if (pid > 0 && isAlive(pid))
    throw new Qwen3Error(
      'ERR_INDEX_BUSY',
      `Process ${pid} is indexing ${path}.`,
      { path, pid },
      {
        remedy: 'Stop it first.',
      },
    )
  for (const suffix of ['', '-wal', '-shm', '-journal', '.lock'])
    await rm(`${path}${suffix}`, { force: true })
}

function factsOf(path: string, name: string): FoundIndex {
  try {
    const { database } = openStore(path, 'read')
    try {
      const rows = database.rows<[string]>("SELECT path FROM root WHERE path <> '' ORDER BY path")
      return { name, path, roots: rows.map(([root]) => root) }
    } finally {
      database.close()
    }
  } catch (error) {
    return { name, path, roots: [], problem: (error as Error).message }
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith(ending) && name !== hereName)
  } catch {
    return []
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
