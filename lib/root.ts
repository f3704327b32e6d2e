// Where this package is. A module of its own, so that bundlers and file tracers have one place to understand.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of this file, or of the bundle it became part of. A CommonJS bundle knows no `import.meta.url`. */
const here: string = import.meta.url ? dirname(fileURLToPath(import.meta.url)) : process.cwd()

// Spelled out for file tracers (@vercel/nft): what is opened beside the code at run time.
const beside = [
  join(here, '..', 'package.json'),
  join(here, '..', 'prebuilds'),
  join(here, '..', 'models', 'mini'),
  join(here, '..', 'lib', 'server', 'page'),
] as const

/** Whether this code is no longer in the package that it came with: someone bundled it. */
export const isBundled: boolean = manifestAt(beside[0]) === undefined

/** The folder of this package, as an absolute path. A bundle mostly stands where the package is installed too. */
export const root: string = isBundled ? (installed() ?? join(here, '..')) : join(here, '..')

export const version: string = manifestAt(join(root, 'package.json'))?.version ?? 'unknown'

function installed(): string | undefined {
  for (const from of [here, process.cwd()]) {
    try {
      return dirname(createRequire(join(from, 'package.json')).resolve('qwen3-embed/package.json'))
    } catch {
      // Not installed where this search starts.
    }
  }
  return undefined
}

function manifestAt(path: string): { version: string } | undefined {
  try {
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as { name: string; version: string }
    return manifest.name === 'qwen3-embed' ? manifest : undefined
  } catch {
    return undefined
  }
}
