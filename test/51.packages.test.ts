// The native part in packages of its own: found where it is, and where it is not, the error says why.
import { execFileSync, spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { platform, platforms } from '../lib/binding.ts'
// @ts-expect-error: a script without types
import * as table from '../scripts/platforms.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'qwen3-embed-packages-'))
  const main = join(folder, 'node_modules', 'qwen3-embed')
  mkdirSync(main, { recursive: true })
  cpSync(join(root, 'dist'), join(main, 'dist'), { recursive: true })
  cpSync(join(root, 'package.json'), join(main, 'package.json'))
  cpSync(join(root, 'models', 'mini'), join(main, 'models', 'mini'), { recursive: true })
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Puts packages of platforms beside the main one, and no others. */
function install(packages: Record<string, { version?: string; binding?: string }>): void {
  const scope = join(folder, 'node_modules', '@qwen3-embed')
  rmSync(scope, { recursive: true, force: true })
  for (const [key, { version: theirs = version, binding }] of Object.entries(packages)) {
    const target = join(scope, key)
    mkdirSync(target, { recursive: true })
    const manifest = { name: `@qwen3-embed/${key}`, version: theirs, main: 'index.js' }
    writeFileSync(join(target, 'package.json'), JSON.stringify(manifest))
    const lines = [
      "exports.binding = require('node:path').join(__dirname, 'qwen3-embed.node')",
      "exports.version = require('./package.json').version",
    ]
    writeFileSync(join(target, 'index.js'), lines.join('\n'))
    if (binding !== undefined) writeFileSync(join(target, 'qwen3-embed.node'), binding)
  }
}

interface Told {
  code: string
  message: string
  facts: Record<string, string>
}

/** What loading a model comes to there; `system` replaces what Node says of itself. */
function load(system: Partial<Record<'platform' | 'arch', string>> = {}): Told {
  const code = `
    for (const [name, value] of Object.entries(${JSON.stringify(system)})) Object.defineProperty(process, name, { value })
    const { Embedder } = await import('qwen3-embed')
    const told = await Embedder.load('mini').then(
      async (model) => ({ code: 'ok', facts: { fingerprint: model.info.fingerprint } }),
      ({ code, message, facts }) => ({ code, message, facts }))
    console.log(JSON.stringify(told))
    process.exit()`
  const args = ['--input-type=module', '--eval', code]
  return JSON.parse(execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8' }))
}

const key = platform()
const own = `@qwen3-embed/${key}`

describe('the native part', () => {
  it('has one list of platforms', () => {
    expect([...platforms].sort()).toEqual(Object.keys(table.platforms).sort())
    expect(table.here()).toBe(key)
  })

  it('is found in the package of its platform', () => {
    install({ [key]: {}, 'win32-x64': {} })
    const from = join(root, 'build', 'Release')
    for (const name of readdirSync(from)) {
      if (/\.(node|so|dylib|dll)$/.test(name)) {
        cpSync(join(from, name), join(folder, 'node_modules', own, name))
      }
    }
    expect(load()).toMatchObject({ code: 'ok' })
  })

  it.each([
    ['is not installed', {}, {}, 'not-installed', /package .* is not installed.*--omit=optional/],
    [
      'was installed on another system',
      { 'darwin-arm64': {}, 'win32-x64': {} },
      {},
      'other-system',
      /@qwen3-embed\/darwin-arm64, @qwen3-embed\/win32-x64 is there: .*lockfile.*Delete node_modules/,
    ],
    [
      'is of another version',
      { [key]: { version: '0.0.9' } },
      {},
      'version',
      /needs @qwen3-embed\/\S+ \S+, but 0\.0\.9 is installed.*npm install @qwen3-embed/,
    ],
    ['does not load', { [key]: { binding: 'no library' } }, {}, 'load', /does not load on/],
    [
      'does not exist for a system',
      {},
      { platform: 'freebsd' },
      'platform',
      /no package for it.*npx qwen3-embed build.*linux-x64/,
    ],
  ] as const)('that %s is an error that says so', (_, packages, system, reason, words) => {
    install(packages)
    const { code, message, facts } = load(system)
    expect(code).toBe('ERR_NO_BINDING')
    expect(facts.reason).toBe(reason)
    expect(message).toMatch(words)
  })

  it.runIf(key === 'linux-x64')('that is for the other C library is an error that says so', () => {
    install({ 'linux-x64-musl': {} })
    const { message, facts } = load()
    expect(facts).toMatchObject({ reason: 'libc', libc: 'glibc', package: own })
    expect(message).toMatch(/this Node runs on glibc, the one that is installed is for the other/)
  })
})

describe('a checkout', () => {
  it('is not packed by itself: it would find no native part', () => {
    const pack = () =>
      execFileSync('npm', ['pack', '--dry-run'], { cwd: root, encoding: 'utf8', stdio: 'pipe' })
    expect(pack).toThrow(/npm run pack/)
  })

  it('has no platform package in its own manifest, and no dependency that compiles or downloads', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    for (const name of Object.keys(manifest.dependencies)) {
      const installed = join(root, 'node_modules', name, 'package.json')
      const { scripts = {}, gypfile } = JSON.parse(readFileSync(installed, 'utf8'))
      const { preinstall, install, postinstall } = scripts
      expect({ name, preinstall, install, postinstall, gypfile }).toEqual({ name })
    }
    expect(manifest.optionalDependencies).toBeUndefined()
  })
})

describe('a release', () => {
  /** Of a copy with this manifest and no packages, where no npm is found: whatever it decides, nothing can be published. */
  const publish = (manifest: object, ...args: string[]) => {
    const copy = mkdtempSync(join(folder, 'release-'))
    for (const file of ['release/publish.mjs', 'platforms.mjs']) {
      cpSync(join(root, 'scripts', file), join(copy, 'scripts', file))
    }
    mkdirSync(join(copy, 'packages'))
    writeFileSync(join(copy, 'package.json'), JSON.stringify(manifest))
    writeFileSync(join(copy, 'packages', 'packages.json'), '{"version":"0.0.0","packages":[]}')
    const script = join(copy, 'scripts', 'release', 'publish.mjs')
    const options = { encoding: 'utf8', env: { PATH: '' } } as const
    return spawnSync(process.execPath, [script, ...args], options)
  }

  it.each([{}, { repository: '' }, { repository: { type: 'git' } }])(
    'is not published without a repository: %j',
    (manifest) => {
      const { status, stderr } = publish(manifest)
      expect(status).toBe(1)
      expect(stderr).toMatch(
        /says no `repository`.*provenance[\s\S]*Add "repository".*nothing was published/,
      )
    },
  )

  it('with one comes to the next question; a dry run needs none', () => {
    for (const repository of [
      'github:a/b',
      { type: 'git', url: 'git+https://example.com/a.git' },
    ]) {
      expect(publish({ repository }).stderr).toMatch(/^The release is incomplete/)
    }
    expect(publish({}, '--dry-run')).toMatchObject({ status: 0, stderr: '' })
  })
})
