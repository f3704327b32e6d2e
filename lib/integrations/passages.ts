// Text files as passages of a size that an embedding model tells apart.
import { readdir, readFile, realpath, stat } from 'node:fs/promises'
import { extname, join, relative, resolve, sep } from 'node:path'
import { chunk, type TokenCounter } from '../index.ts'

export interface Passage {
  text: string
  /** What to embed: the headings above it, and the text. */
  input: string
  /** Relative to the root. */
  file: string
  /** Where it starts, from 1. */
  line: number
}

const largestFile = 4 << 20
const most = 20_000

/**
 * The passages of files, and of all text files in folders, below a root.
 *
 * @throws Error for what lies outside the root, or is no text.
 */
export async function passagesOf(
  root: string,
  names: readonly string[],
  counter: TokenCounter,
  signal?: AbortSignal,
): Promise<Passage[]> {
  const base = await realpath(root)
  const files = new Set<string>()
  for (const name of names) {
    for (const file of await filesOf(base, name)) files.add(file)
  }
  const passages: Passage[] = []
  for (const file of files) {
    const text = await textOf(join(base, file))
    if (text === undefined && names.includes(file)) throw new Error(`${file} is no text file`)
    const format = /^\.(?:md|mdx|markdown)$/i.test(extname(file)) ? 'markdown' : 'text'
    const chunks = await chunk(text ?? '', counter, { format, title: file, signal })
    for (const { text, input, line } of chunks) passages.push({ text, input, file, line })
    if (passages.length > most) {
      throw new Error(`That is more than ${most} passages: name fewer files, or smaller folders`)
    }
  }
  return passages
}

async function filesOf(base: string, name: string): Promise<string[]> {
  const path = await realpath(resolve(base, name)).catch(() => undefined)
  // Links are followed before this check: what they point to counts.
  if (path === undefined || (path !== base && !path.startsWith(base + sep))) {
    throw new Error(`There is no ${name} below ${base}`)
  }
  if (!(await stat(path)).isDirectory()) return [relative(base, path)]
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(base, join(entry.parentPath ?? entry.path, entry.name)))
    .filter((file) => !file.split(sep).some((part) => /^\.|^node_modules$/.test(part)))
    .sort()
}

/** Undefined for what is no text. */
async function textOf(path: string): Promise<string | undefined> {
  if ((await stat(path)).size > largestFile) return undefined
  const bytes = await readFile(path)
  if (bytes.includes(0)) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}
