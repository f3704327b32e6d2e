import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const packageJson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** Every module that importing a file loads, and every package. */
function loadedBy(entry: string): { files: string[]; packages: string[] } {
  const files = new Set<string>()
  const packages = new Set<string>()
  const waiting = [join(root, entry)]
  for (const file of waiting) {
    if (files.has(relative(root, file))) continue
    files.add(relative(root, file))
    const text = readFileSync(file, 'utf8')
    const names = text.matchAll(/(?:from|import|require)\s*\(?\s*['"]([^'"\n]+)['"]/g)
    for (const [, name] of names) {
      if (name!.startsWith('.')) waiting.push(resolve(dirname(file), name!))
      else packages.add(name!)
    }
  }
  return { files: [...files], packages: [...packages] }
}

describe('the main entry', () => {
  const { files, packages } = loadedBy('dist/index.js')

  it('loads no adapter, server or command', () => {
    expect(files.length).toBeGreaterThan(10)
    expect(files.filter((file) => /integrations|server|cli/.test(file))).toEqual([])
  })

  it("loads no package but Node's own and those of platforms", () => {
    const others = packages.filter((name) => !name.startsWith('node:'))
    expect(others.filter((name) => !name.startsWith('@qwen3-embed/'))).toEqual([])
  })
})

describe('qwen3-embed/search', () => {
  const { files, packages } = loadedBy('dist/search/index.js')

  it('is an entry for every way of finding one', () => {
    expect(packageJson.exports['./search'].default).toBe('./dist/search/index.js')
    expect(packageJson.typesVersions['*'].search).toEqual(['dist/search/index.d.ts'])
  })

  it('loads no server, command or adapter, and leaves parsers to the thread that reads files', () => {
    expect(files.filter((file) => /integrations|server|cli|eval/.test(file))).toEqual([])
    const others = packages.filter((name) => !/^node:|^@qwen3-embed\//.test(name))
    // The watcher only when a folder is watched, and only if it is there.
    expect(others.sort()).toEqual(['@parcel/watcher'])
  })
})

describe('qwen3-embed/fleet', () => {
  const { files, packages } = loadedBy('dist/fleet/index.js')

  it('is an entry for every way of finding one', () => {
    expect(packageJson.exports['./fleet'].default).toBe('./dist/fleet/index.js')
    expect(packageJson.typesVersions['*'].fleet).toEqual(['dist/fleet/index.d.ts'])
  })

  it('loads no server, command or adapter, and of packages optional ones alone', () => {
    expect(files.filter((file) => /integrations|server|cli|eval/.test(file))).toEqual([])
    const others = packages.filter((name) => !/^node:|^@qwen3-embed\//.test(name))
    for (const loaded of others) {
      const [peer] = /^(@[^/]+\/)?[^/]+/.exec(loaded)!
      expect(packageJson.peerDependenciesMeta[peer]).toEqual({ optional: true })
    }
  })
})

describe('each adapter', () => {
  const names = readdirSync(join(root, 'lib/integrations'))

  it.each(names)('%s is read in a minute', (name) => {
    const lines = readFileSync(join(root, 'lib/integrations', name), 'utf8').split('\n')
    expect(lines.length).toBeLessThanOrEqual(160)
  })

  it.each(['ai', 'chroma', 'lancedb', 'langchain', 'mastra', 'mcp'])(
    '%s loads its own library, an optional peer, and nothing else',
    (name) => {
      expect(packageJson.exports[`./${name}`].default).toBe(`./dist/integrations/${name}.js`)
      const { packages } = loadedBy(`dist/integrations/${name}.js`)
      for (const loaded of packages) {
        if (loaded.startsWith('node:') || loaded.startsWith('@qwen3-embed/')) continue
        const [peer] = /^(@[^/]+\/)?[^/]+/.exec(loaded)!
        expect(packageJson.peerDependenciesMeta[peer]).toEqual({ optional: true })
      }
    },
  )
})
