#!/usr/bin/env node
// Builds the addon with CMake (through cmake-js) into build/Release. binding.gyp, `npm run build:native`
// and the install fallback all come here.
//   --tests         build core and kernel tests too, and run them with ctest
//   --sanitize[=thread]  ... under AddressSanitizer and UBSan, or ThreadSanitizer, in a build folder of its own
//   --only-build    ... without running them
//   --llama=source  compile llama.cpp from the bundled sources instead of linking its prebuilt libraries
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { llamaHeaders, llamaLibraries, llamaSources } from './llama.mjs'
import { here } from './platforms.mjs'
import { sqliteSources } from './sqlite.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values: options } = parseArgs({
  args: process.argv.slice(2).map((flag) => (flag === '--sanitize' ? '--sanitize=address' : flag)),
  // node-gyp and prebuildify append flags of their own, which mean nothing to CMake.
  strict: false,
  options: {
    tests: { type: 'boolean', default: false },
    'only-build': { type: 'boolean', default: false },
    sanitize: { type: 'string' },
    llama: { type: 'string', default: process.env.QWEN3_EMBED_LLAMA ?? 'prebuilt' },
  },
})

const platform = `${process.platform}-${process.env.npm_config_arch ?? process.arch}`
// Those of npm are made for glibc.
const isMusl = here().endsWith('-musl')
const libraries = options.llama === 'source' || isMusl ? null : llamaLibraries(platform)
const source = libraries === null
const sanitizers = { address: 'address,undefined', thread: 'thread' }
if (options.sanitize && !sanitizers[options.sanitize]) {
  console.error(`Expected --sanitize, or --sanitize=thread, but received ${options.sanitize}`)
  process.exit(1)
}
const folders = { address: 'build/sanitize', thread: 'build/sanitize-thread' }
const folder = folders[options.sanitize] ?? `build/cmake${source ? '-source' : ''}`
const definitions = {
  LLAMA: source ? 'source' : 'prebuilt',
  LLAMA_HEADERS: source ? llamaSources() : llamaHeaders(),
  LLAMA_LIBRARIES: libraries ?? '',
  SQLITE: sqliteSources(),
  NODE_ADDON_API: packageFolder('node-addon-api'),
  // prebuild.mjs sets it: what it makes is for other machines.
  QWEN3_PORTABLE: process.env.QWEN3_EMBED_PORTABLE ? 'ON' : 'OFF',
  QWEN3_TESTS: options.tests || options.sanitize ? 'ON' : 'OFF',
  QWEN3_SANITIZE: sanitizers[options.sanitize] ?? '',
}

const arguments_ = Object.entries(definitions).map(([name, value]) => `--CD${name}=${value}`)
const cmakeJs = join(packageFolder('cmake-js'), 'bin', 'cmake-js')
const common = ['--directory', root, '--out', join(root, folder), ...arguments_]
// Both steps, because `compile` keeps the definitions of an earlier configuration.
run(process.execPath, [cmakeJs, 'configure', ...common])
run(process.execPath, [cmakeJs, 'build', ...common])
if ((options.tests || options.sanitize) && !options['only-build']) {
  // Thousands of damaged files where a stray read would be seen; a few dozen of each kind otherwise.
  if (options.sanitize) process.env.QWEN3_FUZZ ??= '200'
  if (options.sanitize === 'thread') {
    process.env.TSAN_OPTIONS ??= `suppressions=${join(root, 'test', 'native', 'tsan.supp')}`
  }
  run('ctest', ['--test-dir', join(root, folder), '--output-on-failure'])
}

function packageFolder(name) {
  try {
    return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`))
  } catch {
    console.error(
      `Building from source needs ${name}: npm install cmake-js node-addon-api node-api-headers`,
    )
    process.exit(1)
  }
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', cwd: root })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}
