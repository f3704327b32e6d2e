import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { wrongRows } from '../pairs/rows.ts'
import type { Document } from './headings.ts'

export const markdownFiles = /\.(md|markdown|mdx)$/i

/** Files of a folder whose names fit, in the order of their names, or one file. */
export async function* readDocuments(path: string, endings: RegExp): AsyncGenerator<Document> {
  const found = await stat(path).catch(() => undefined)
  if (!found) throw wrongRows(`There is no folder or file ${path}`, { path })
  if (!found.isDirectory()) {
    yield { id: path, text: await readFile(path, 'utf8') }
    return
  }
  const names = (await readdir(path, { recursive: true })).filter(
    (name) => endings.test(name) && !/(^|[\\/])node_modules[\\/]/.test(name),
  )
  for (const name of names.sort()) {
    const full = join(path, name)
    if ((await stat(full)).isFile())
      yield { id: relative(path, full).replaceAll('\\', '/'), text: await readFile(full, 'utf8') }
  }
}
