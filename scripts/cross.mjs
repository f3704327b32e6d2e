// Builds the addon for another platform with a cross compiler, and runs it here under an emulator: its vectors against
// those of this machine, to the bit with the portable kernels.
//
//   npm run cross:arm64     g++-aarch64-linux-gnu, qemu-user          -> prebuilds/linux-arm64
//   npm run cross:windows   g++-mingw-w64-x86-64-posix, wine          -> prebuilds/win32-x64, for trying only
//   npm run cross:musl      the Python package ziglang (zig c++)      -> prebuilds/linux-x64-musl
//
// Where a tool is missing it says so and ends well; `--strict` makes that a failure, `--only-build` runs nothing.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { faultsOf } from './check-binary.mjs'
import { compareVectors } from './cross/compare.mjs'
import { targets } from './cross/targets.mjs'
import { platforms, trialMark } from './platforms.mjs'
import { sqliteSources } from './sqlite.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    strict: { type: 'boolean', default: false },
    'only-build': { type: 'boolean', default: false },
    whole: { type: 'boolean', default: false },
    jobs: { type: 'string', default: '2' },
  },
})
const [key] = positionals
const target = targets[key]
if (!target) {
  console.error(`Expected one of ${Object.keys(targets).join(', ')} but received ${key}`)
  process.exit(1)
}
for (const { command, packages } of target.tools) {
  if (isThere(command)) continue
  console.log(`${key}: skipped, ${command} is not here (${packages})`)
  process.exit(options.strict ? 1 : 0)
}

const cache = join(root, '.cache', 'cross', key)
const out = join(cache, 'out')
const place = join(root, 'prebuilds', key)
for (const folder of [out, place]) rmSync(folder, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
mkdirSync(join(root, 'prebuilds'), { recursive: true })
const { LLAMA_HEADERS, ...definitions } = await target.definitions({ cache, root, out })
const all = {
  LLAMA: 'prebuilt',
  LLAMA_HEADERS,
  SQLITE: sqliteSources(),
  NODE_ADDON_API: folderOf('node-addon-api'),
  CMAKE_JS_INC: join(folderOf('node-api-headers'), 'include'),
  CMAKE_BUILD_TYPE: 'Release',
  QWEN3_OUT: out,
  ...definitions,
}
const flags = Object.entries(all).map(([name, value]) => `-D${name}=${value}`)
run('cmake', ['-S', root, '-B', join(cache, 'build'), '-G', generator(), ...flags])
const build = ['--build', join(cache, 'build'), '--parallel', options.jobs]
if (target.quick && !options.whole) {
  run('cmake', [...build, '--target', ...target.quick])
  console.log(`${key}: our own half compiles; --whole compiles llama.cpp too, and packs it`)
  process.exit(0)
}
run('cmake', build)
// Libraries that come from npm are as they were published.
const own = all.LLAMA === 'source' ? readdirSync(out) : ['qwen3-embed.node']
run(target.strip, ['--strip-unneeded', ...own.map((name) => join(out, name))])
target.finish?.({ out, cache })
const names = readdirSync(out).filter((name) => /\.(node|so|dll)/.test(name))
const faults = names.flatMap((name) => faultsOf(join(out, name), platforms[key]))
if (faults.length > 0) {
  console.error(faults.join('\n'))
  process.exit(1)
}
// Whole, or not at all: scripts/pack.mjs takes what is there.
if (target.isTrial) writeFileSync(join(out, trialMark), 'Built to be tried, not to be published.\n')
renameSync(out, place)
console.log(`${key}: built, ${names.length} files in prebuilds/${key}`)
if (!options['only-build']) {
  const runner = await target.runner({ cache, root })
  if (runner === undefined) console.log(`${key}: built, not run: ${target.notRun}`)
  else if (!(await compareVectors(key, runner, target.cases, root))) process.exit(1)
}

function generator() {
  return isThere('ninja') ? 'Ninja' : 'Unix Makefiles'
}

function isThere(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).error === undefined
}

function folderOf(name) {
  return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`))
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', cwd: root })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

if (!existsSync(join(root, 'dist'))) throw new Error('Run first: npm run build:ts')
