import { randomUUID } from 'node:crypto'
import {
  copyFile,
  link,
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { basename, dirname, join, relative, sep } from 'node:path'
import { choose, type Model, modelsAmong, type Wish } from './quant.ts'

/** A file in a snapshot of the cache. */
export interface CachedFile {
  /** Within the repository, with slashes. */
  readonly path: string
  /** On this disk. */
  readonly place: string
  readonly size: number
  /** The name of the blob behind it, which is its hash where this is known. */
  readonly blob: string | undefined
}

/** All models of one cached repository at one commit. */
export interface Snapshot {
  readonly repo: string
  readonly commit: string
  /** The branches and tags that stood for this commit when they were last asked. */
  readonly revisions: readonly string[]
  readonly models: readonly Model<CachedFile>[]
}

export function repositoryFolder(hub: string, repo: string): string {
  return join(hub, `models--${repo.replaceAll('/', '--')}`)
}

export function snapshotFolder(hub: string, repo: string, commit: string): string {
  return join(repositoryFolder(hub, repo), 'snapshots', commit)
}

/** What is cached of a repository at a revision, or undefined when nothing is. */
export async function findSnapshot(
  hub: string,
  repo: string,
  revision: string,
): Promise<Snapshot | undefined> {
  const folder = repositoryFolder(hub, repo)
  const ref = await readFile(join(folder, 'refs', ...revision.split('/')), 'utf8').catch(() => '')
  const commit = ref.trim() || revision
  if (!/^[\w.-]+$/.test(commit) || /^\.+$/.test(commit)) return undefined
  const models = modelsAmong(await ggufFiles(join(folder, 'snapshots', commit)))
  return models.length === 0
    ? undefined
    : { repo, commit, revisions: ref === '' ? [] : [revision], models }
}

/** The cached model a wish means, if it is there in full. */
export async function findModel(
  hub: string,
  repo: string,
  revision: string,
  wish: Wish,
  lone: 'lone model will do' | 'default only',
): Promise<Model<CachedFile> | undefined> {
  const snapshot = await findSnapshot(hub, repo, revision)
  return snapshot && choose(snapshot.models, wish, repo, lone)
}

/** Every cached repository that holds GGUF models. */
export async function listSnapshots(hub: string): Promise<Snapshot[]> {
  const found: Snapshot[] = []
  for (const entry of (await readdir(hub).catch(() => [])).sort()) {
    if (!entry.startsWith('models--')) continue
    const folder = join(hub, entry)
    const repo = entry.slice('models--'.length).replace('--', '/')
    const refs = await readRefs(join(folder, 'refs'))
    for (const commit of await readdir(join(folder, 'snapshots')).catch(() => [])) {
      const models = modelsAmong(await ggufFiles(join(folder, 'snapshots', commit)))
      const revisions = refs.filter((ref) => ref.commit === commit).map((ref) => ref.name)
      if (models.length > 0) found.push({ repo, commit, revisions, models })
    }
  }
  return found
}

/** Makes a blob appear under its own name in a snapshot, in one step. */
export async function linkBlob(blob: string, place: string): Promise<void> {
  const folder = dirname(place)
  await mkdir(folder, { recursive: true })
  const target = relative(folder, blob)
  if ((await readlink(place).catch(() => '')) === target) return
  const fresh = join(folder, `.${randomUUID()}`)
  try {
    await symlink(target, fresh)
  } catch {
    // Windows grants symbolic links to few users, and some file systems know no links at all.
    await link(blob, fresh).catch(() => copyFile(blob, fresh))
  }
  await rename(fresh, place)
}

/** Remembers which commit a branch or tag stood for. */
export async function writeRef(
  hub: string,
  repo: string,
  revision: string,
  commit: string,
): Promise<void> {
  if (revision === commit) return
  const place = join(repositoryFolder(hub, repo), 'refs', ...revision.split('/'))
  await mkdir(dirname(place), { recursive: true })
  const fresh = `${place}.${randomUUID()}`
  await writeFile(fresh, commit)
  await rename(fresh, place)
}

async function readRefs(folder: string): Promise<{ name: string; commit: string }[]> {
  const refs: { name: string; commit: string }[] = []
  for (const path of await filesBelow(folder)) {
    const commit = (await readFile(path, 'utf8').catch(() => '')).trim()
    refs.push({ name: relative(folder, path).split(sep).join('/'), commit })
  }
  return refs
}

/** A link whose blob is gone counts as absent. */
async function ggufFiles(folder: string): Promise<CachedFile[]> {
  const files: CachedFile[] = []
  for (const place of await filesBelow(folder)) {
    if (!/\.gguf$/i.test(place)) continue
    const facts = await stat(place).catch(() => undefined)
    if (!facts?.isFile()) continue
    const real = await realpath(place)
    const blob = basename(dirname(real)) === 'blobs' ? basename(real) : undefined
    files.push({
      path: relative(folder, place).split(sep).join('/'),
      place,
      size: facts.size,
      blob,
    })
  }
  return files
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort()
}
