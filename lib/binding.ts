// Where the addon is: a build made here on request, the package of this platform, or a prebuild in this package.
import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { unpacked } from './asar.ts'
import { type Facts, Qwen3Error } from './errors.ts'
import { libc } from './libc.ts'
import { isBundled, root, version } from './root.ts'

/** What the package of a platform exports. */
interface PlatformPackage {
  /** Path of the addon; the shared libraries lie beside it. */
  readonly binding: string
  readonly version: string
}

const require = createRequire(join(root, 'package.json'))

// Spelled out for file tracers and bundlers, which look for names in calls.
const packages: Record<string, () => PlatformPackage> = {
  'darwin-arm64': () => require('@qwen3-embed/darwin-arm64'),
  'darwin-x64': () => require('@qwen3-embed/darwin-x64'),
  'linux-arm64': () => require('@qwen3-embed/linux-arm64'),
  'linux-arm64-musl': () => require('@qwen3-embed/linux-arm64-musl'),
  'linux-x64': () => require('@qwen3-embed/linux-x64'),
  'linux-x64-musl': () => require('@qwen3-embed/linux-x64-musl'),
  'win32-arm64': () => require('@qwen3-embed/win32-arm64'),
  'win32-x64': () => require('@qwen3-embed/win32-x64'),
}

/** Platforms that have a package. */
export const platforms: readonly string[] = Object.keys(packages)

/** This one, as packages are named by it. */
export function platform(): string {
  return `${process.platform}-${process.arch}${libc().family === 'musl' ? '-musl' : ''}`
}

/** Loads the addon. Throws `ERR_NO_BINDING` with the reason. */
export function loadBinding(): { binding: unknown; libraries: string } {
  const path = unpacked(find())
  try {
    return { binding: require(path), libraries: dirname(path) }
  } catch (cause) {
    throw cannotLoad(path, cause as Error)
  }
}

const file = 'qwen3-embed.node'

function find(): string {
  // PREBUILDS_ONLY is what tests of prebuilds set.
  const built = join(root, 'build', 'Release', file)
  if (!process.env.PREBUILDS_ONLY && existsSync(built)) return built
  const key = platform()
  let missing: unknown
  try {
    const found = packages[key]?.()
    if (found?.version === version) return found.binding
    if (found) throw otherVersion(key, found.version)
  } catch (error) {
    if (error instanceof Qwen3Error) throw error
    missing = error
  }
  const prebuilt = join(root, 'prebuilds', key, file)
  if (existsSync(unpacked(prebuilt))) return prebuilt
  throw notFound(key, missing)
}

function noBinding(problem: string, more: Facts, remedy: string, cause?: unknown): Qwen3Error {
  const facts = {
    platform: process.platform,
    arch: process.arch,
    libc: libc().family || 'none',
    bundled: isBundled ? 'yes' : 'no',
    ...more,
  }
  return new Qwen3Error('ERR_NO_BINDING', problem, facts, { remedy, cause })
}

function notFound(key: string, cause: unknown): Qwen3Error {
  const name = `@qwen3-embed/${key}`
  const no = `No native build of qwen3-embed was found for ${key}`
  if (!platforms.includes(key)) {
    const problem = `${no}: there is no package for it`
    return noBinding(
      problem,
      { reason: 'platform' },
      `${built} There are ${platforms.join(', ')}.`,
      cause,
    )
  }
  const facts = { package: name }
  if (isBundled) {
    const problem = `${no}: this code was bundled, and a native addon cannot be`
    return noBinding(problem, { ...facts, reason: 'bundled' }, bundledRemedy, cause)
  }
  const others = otherPackages().filter((other) => other !== key)
  if (others.length > 0) {
    const there = others.map((other) => `@qwen3-embed/${other}`).join(', ')
    const isLibc = others.some((other) => other.replace('-musl', '') === key.replace('-musl', ''))
    const why = isLibc
      ? `this Node runs on ${libc().family}, the one that is installed is for the other C library`
      : 'it was installed on another system, or by a lockfile made on one'
    const problem = `${no}: the package ${name} is missing and ${there} is there: ${why}`
    return noBinding(problem, { ...facts, reason: isLibc ? 'libc' : 'other-system' }, again, cause)
  }
  const problem = `${no}: the package ${name} is not installed`
  return noBinding(problem, { ...facts, reason: 'not-installed' }, optional(name), cause)
}

function otherVersion(key: string, theirs: string): Qwen3Error {
  const name = `@qwen3-embed/${key}`
  const problem = `qwen3-embed ${version} needs ${name} ${version}, but ${theirs} is installed`
  const facts = { package: name, reason: 'version', expected: version, found: theirs }
  return noBinding(problem, facts, `Run: npm install ${name}@${version}`)
}

function cannotLoad(path: string, cause: Error): Qwen3Error {
  const needed = /version [`'"]?(GLIBC(?:XX)?_[\d.]+)/.exec(cause.message)?.[1]
  const problem = `The native build at ${path} does not load on ${platform()}: ${cause.message}`
  if (needed === undefined) return noBinding(problem, { path, reason: 'load' }, again, cause)
  const facts = { path, reason: 'system', needed, glibc: libc().version }
  const remedy = `It needs glibc 2.34 or later (RHEL 9, Debian 12, Ubuntu 22.04, Amazon Linux 2023). ${built}`
  return noBinding(problem, facts, remedy, cause)
}

/** Platforms whose packages are installed where this one's would be. */
function otherPackages(): string[] {
  for (const folder of require.resolve.paths('@qwen3-embed/x') ?? []) {
    try {
      const found = readdirSync(join(folder, '@qwen3-embed'))
      if (found.length > 0) return found.filter((name) => platforms.includes(name))
    } catch {
      // Not there.
    }
  }
  return []
}

const built =
  'Build it with `npm install cmake-js node-addon-api node-api-headers && npx qwen3-embed build`, which needs g++, cmake and git.'
const again =
  'Delete node_modules (and, if it stays so, the lockfile) and install again on this system.'
const optional = (name: string) =>
  `Install without --omit=optional (or --no-optional), or run: npm install ${name}@${version}`
const bundledRemedy =
  'Leave qwen3-embed out of the bundle (esbuild: --external:qwen3-embed; webpack: externals; Vite: ssr.external; Next: ' +
  "serverExternalPackages: ['qwen3-embed']) and install it where the bundle runs"
