// Which index a command is about.
import { findIndexes, type FoundIndex, holds, hereName, indexPath } from '../../search/index.ts'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Arguments, Options } from '../arguments.ts'
import { Misuse } from '../misuse.ts'

export const defaultName = 'default'

export const indexOption: Options = {
  index: {
    value: 'NAME',
    help: 'which index, by its name or file; default: the one that holds this folder, else the only one',
  },
}

/** The index that is named; or the one of this folder; or the only one there is. */
export async function chosenIndex(
  name: string | undefined,
  folder = process.cwd(),
): Promise<FoundIndex> {
  const found = await likelyIndex(name, folder)
  if (found) return found
  const others = findIndexes(folder)
  throw new Misuse(
    others.length === 0
      ? 'There is no index yet: qwen3-embed index FOLDER makes one'
      : `No index holds ${folder}: say which one with --index (${others.map((one) => one.name).join(', ')}), or index it`,
  )
}

export async function likelyIndex(
  name: string | undefined,
  folder = process.cwd(),
): Promise<FoundIndex | undefined> {
  if (name !== undefined) {
    const path = await indexPath(name)
    const isThere = existsSync(path)
    if (!isThere) throw new Misuse(`There is no index ${name} (${path})`)
    return { name, path, roots: [] }
  }
  const found = findIndexes(folder)
  const near = found.find(
    ({ roots, path }) =>
      roots.some((root) => holds(root, folder)) || path === join(resolve(folder), hereName),
  )
  return near ?? (found.length === 1 ? found[0] : undefined)
}

/** The file that folders go into. */
export async function targetIndex(args: Arguments, folders: readonly string[]): Promise<string> {
  const name = args.text('name')
  if (args.has('here')) {
    if (name !== undefined) throw new Misuse('--here and --name exclude each other')
    return join(resolve(folders[0] ?? '.'), hereName)
  }
  if (name !== undefined) return indexPath(name)
  const known = findIndexes(folders[0] ?? process.cwd()).find(({ roots, path }) =>
    folders.length === 0
      ? roots.some((root) => holds(root, process.cwd())) || path.endsWith(hereName)
      : folders.every((folder) => roots.some((root) => holds(root, folder))),
  )
  return known?.path ?? indexPath(defaultName)
}

/** Words between commas, but not those within braces. */
export function listOf(text: string | undefined): string[] | undefined {
  if (text === undefined) return undefined
  const parts = text.match(/(?:\{[^}]*\}|[^,])+/g) ?? []
  return parts.map((part) => part.trim()).filter((part) => part !== '')
}
