// Which files of a folder are what: the layouts of BEIR, of the Hugging Face hub, and ours.
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { type Remarks, wrongData } from './remarks.ts'
import { isTable, stem } from './rows.ts'

export interface Files {
  root: string
  corpus: string[]
  queries: string[]
  candidates: string[]
  /** By split. */
  qrels: Map<string, string[]>
  /** All other tables, by split. */
  tables: Map<string, string[]>
}

const shard = /-\d{5}-of-\d{5}$/
const isQrels = /^qrels?\b|^qrels?[_-]|^default$/i
const deepest = 3

export async function lookInto(root: string): Promise<Files> {
  const files: Files = {
    root,
    corpus: [],
    queries: [],
    candidates: [],
    qrels: new Map(),
    tables: new Map(),
  }
  for (const path of await tablesBelow(root, deepest)) {
    const inner = relative(root, path).split(/[\\/]/)
    const name = stem(inner.at(-1)!)
      .replace(/\.txt(\.gz)?$/, '')
      .replace(shard, '')
    const folder = inner.at(-2) ?? ''
    const is = (word: string) => name === word || folder === word
    if (is('corpus')) files.corpus.push(path)
    else if (is('queries')) files.queries.push(path)
    else if (is('top_ranked') || is('candidates')) files.candidates.push(path)
    else if (isQrels.test(folder)) add(files.qrels, splitOf(folder, name), path)
    else if (isQrels.test(name))
      add(files.qrels, name.replace(/^qrels?[._-]?/i, '') || 'test', path)
    else if (!/\.txt(\.gz)?$/.test(path)) add(files.tables, name, path)
  }
  // The hub's `default` holds judgements beside a corpus, and everything elsewhere.
  if (files.corpus.length === 0) {
    for (const [split, paths] of files.qrels)
      for (const path of paths) add(files.tables, split, path)
  }
  return files
}

/** Tables of one split in several folders are subsets, such as languages, which are judged one by one. */
export function refuseSubsets(root: string, paths: readonly string[]): void {
  const folders = [...new Set(paths.map((path) => relative(root, dirname(path)) || '.'))]
  if (folders.length < 2) return
  throw wrongData(
    `There are ${folders.length} subsets in ${root}: name the folder of one, such as ${folders[0]}`,
    { folder: root },
  )
}

/** The one to judge by: the one asked for, the only one, else `test`, which is then remarked on. */
export function chooseSplit(
  found: ReadonlyMap<string, unknown>,
  asked: string | undefined,
  what: string,
  remarks: Remarks,
): string {
  const names = [...found.keys()].sort()
  const list = names.join(', ')
  if (asked !== undefined) {
    if (found.has(asked)) return asked
    throw wrongData(`There is no split ${asked} among the ${what}: they are ${list}`, {
      split: asked,
    })
  }
  if (names.length === 1) return names[0]!
  const likely = ['test', 'validation', 'dev'].find((name) => found.has(name))
  if (likely === undefined) {
    throw wrongData(
      `There are several splits among the ${what} (${list}): say which with the option split`,
    )
  }
  remarks.add(
    'several-splits',
    `splits were found among the ${what}, and ${likely} was taken`,
    list,
    names.length,
  )
  return likely
}

function splitOf(folder: string, name: string): string {
  // FollowIR keeps two sets of judgements, each in a folder of its own.
  const [, variant] = /^qrels?[_-](\w+)$/i.exec(folder) ?? []
  return variant ?? name
}

function add(to: Map<string, string[]>, split: string, path: string) {
  to.set(split, [...(to.get(split) ?? []), path])
}

async function tablesBelow(folder: string, depth: number): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  const found: string[] = []
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name)
    if (entry.name.startsWith('.')) continue
    const isFolder =
      entry.isDirectory() || (entry.isSymbolicLink() && (await stat(path)).isDirectory())
    if (isFolder && depth > 1) found.push(...(await tablesBelow(path, depth - 1)))
    else if (!isFolder && (isTable(entry.name) || /^qrels.*\.txt(\.gz)?$/i.test(basename(path))))
      found.push(path)
  }
  return found
}
