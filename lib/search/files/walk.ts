// The files below a folder that are to be searched: names and sizes only, no contents.
import { lstatSync, readdirSync, readFileSync, type Stats } from 'node:fs'
import { join } from 'node:path'
import makeIgnore, { type Ignore } from 'ignore'
import { Qwen3Error } from '../../index.ts'
import { anyGlob } from '../glob.ts'
import type { Entry, Rules } from '../types.ts'

export interface Walked {
  /** Folders that could not be listed, below the root. */
  unread: string[]
  /** Files that rules left out, where they were asked for. */
  left: { path: string; why: string }[]
  files: number
}

/** What tools make, fetch or lock: nobody wrote it to find it again. */
const madeFolders = new Set(
  `node_modules bower_components .venv venv __pycache__ .tox .mypy_cache .pytest_cache site-packages
   dist build out target .next .nuxt .svelte-kit .output vendor coverage .gradle .terraform Pods DerivedData`.split(
    /\s+/,
  ),
)
const madeFiles =
  /^(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|Cargo\.lock|Gemfile\.lock|poetry\.lock|uv\.lock|composer\.lock|go\.sum|flake\.lock|.*\.min\.(?:js|css)|.*\.(?:js|css|mjs)\.map|\.DS_Store|Thumbs\.db|.*\.qwen3-embed\.index.*)$/
const ignoreNames = ['.gitignore', '.qwen3ignore']
const batchSize = 1_000
/** A folder deeper than this is a mistake, or a trap. */
const deepest = 256

interface Scope {
  readonly folder: string
  readonly rules: Ignore
}

/**
 * Hands out the files below a root in batches. Links are not followed: what they point to is found where it is, or
 * is not below the root.
 *
 * @throws Qwen3Error `ERR_INDEX_NOT_FOUND` if the root is not there
 */
export function walk(
  root: string,
  rules: Rules,
  give: (entries: Entry[]) => void,
  wantsLeft = false,
): Walked {
  const { hidden = false, ignoreFiles = true } = rules
  const included = anyGlob(rules.include)
  const excluded = anyGlob(rules.exclude)
  const walked: Walked = { unread: [], left: [], files: 0 }
  let batch: Entry[] = []
  const leave = (path: string, why: string) => {
    if (wantsLeft) walked.left.push({ path, why })
  }
  const take = (path: string, { size, mtimeMs, ino }: Stats) => {
    batch.push({ path, size, mtime: mtimeMs, inode: Number(ino) })
    walked.files++
    if (batch.length < batchSize) return
    give(batch)
    batch = []
  }
  const whyNot = (name: string, path: string, isFolder: boolean, scopes: readonly Scope[]) => {
    if (!hidden && name.startsWith('.')) return 'hidden'
    if (ignoreFiles && (isFolder ? madeFolders.has(name) : madeFiles.test(name)))
      return 'made by a tool'
    if (ignoreFiles && isIgnored(path, isFolder, scopes)) return 'in an ignore file'
    if (excluded?.(path)) return 'excluded'
    if (!isFolder && included && !included(path)) return 'not included'
    return undefined
  }
  const enter = (folder: string, outer: readonly Scope[], depth: number) => {
    const entries = listed(join(root, folder))
    if (!entries || depth > deepest) {
      if (folder === '') throw missing(root)
      walked.unread.push(folder)
      return
    }
    const scopes = ignoreFiles ? [...outer, ...scopesOf(root, folder, entries)] : outer
    for (const entry of entries) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      const isFolder = entry.isDirectory()
      if (!isFolder && !entry.isFile()) continue
      const why = whyNot(entry.name, path, isFolder, scopes)
      if (why !== undefined) leave(isFolder ? `${path}/` : path, why)
      else if (isFolder) enter(path, scopes, depth + 1)
      else {
        const stats = lstatSync(join(root, path), { throwIfNoEntry: false })
        if (stats?.isFile()) take(path, stats)
      }
    }
  }
  enter('', [], 0)
  give(batch)
  return walked
}

function listed(folder: string) {
  try {
    const entries = readdirSync(folder, { withFileTypes: true })
    return entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  } catch {
    return undefined
  }
}

function scopesOf(root: string, folder: string, entries: readonly { name: string }[]): Scope[] {
  const names = ignoreNames.filter((name) => entries.some((entry) => entry.name === name))
  return names.flatMap((name) => {
    try {
      const text = readFileSync(join(root, folder, name), 'utf8')
      return [{ folder, rules: makeIgnore({ allowRelativePaths: true }).add(text) }]
    } catch {
      return []
    }
  })
}

/** The innermost file that says anything decides, as for git. */
function isIgnored(path: string, isFolder: boolean, scopes: readonly Scope[]): boolean {
  for (const { folder, rules } of scopes.toReversed()) {
    const below = folder === '' ? path : path.slice(folder.length + 1)
    const { ignored, unignored } = rules.test(isFolder ? `${below}/` : below)
    if (ignored) return true
    if (unignored) return false
  }
  return false
}

function missing(root: string): Qwen3Error {
  return new Qwen3Error(
    'ERR_INDEX_NOT_FOUND',
    `The folder ${root} is not there, or cannot be read.`,
    { root },
    { remedy: 'What was indexed of it stays. Bring it back, or take it out of the index.' },
  )
}
