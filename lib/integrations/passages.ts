// Text files as passages of a size that an embedding model tells apart.
import { readdir, readFile, realpath, stat } from 'node:fs/promises'
import { join, relative, resolve, sep } from 'node:path'

export interface Passage {
  text: string
  /** Relative to the root. */
  file: string
  /** Where it starts, from 1. */
  line: number
}

const longest = 1_200
const largestFile = 4 << 20
const most = 20_000

/**
 * The passages of files, and of all text files in folders, below a root.
 *
 * @throws Error for what lies outside the root, or is no text.
 */
export async function passagesOf(root: string, names: readonly string[]): Promise<Passage[]> {
  const base = await realpath(root)
  const files = new Set<string>()
  for (const name of names) {
    for (const file of await filesOf(base, name)) files.add(file)
  }
  const passages: Passage[] = []
  for (const file of files) {
    const text = await textOf(join(base, file))
    if (text === undefined && names.includes(file)) throw new Error(`${file} is no text file`)
    for (const passage of split(text ?? '')) passages.push({ ...passage, file })
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

/** Paragraphs, as many together as fit. A paragraph that is too long alone is cut between lines. */
function split(text: string): Omit<Passage, 'file'>[] {
  const passages: Omit<Passage, 'file'>[] = []
  let open: string[] = []
  let size = 0
  const close = (next: number) => {
    const text = open.join('\n').trim()
    const blank = open.findIndex((line) => line.trim() !== '')
    if (text) passages.push({ text, line: next - open.length + Math.max(0, blank) + 1 })
    open = []
    size = 0
  }
  const lines = text.split(/\r?\n/)
  for (const [i, line] of lines.entries()) {
    const isFull = size + line.length > longest
    const endsParagraph = line.trim() === '' && size > longest / 2
    if (isFull || endsParagraph) close(i)
    open.push(line)
    size += line.length + 1
  }
  close(lines.length)
  return passages
}
