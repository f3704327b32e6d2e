// The tarballs as users get them: packed with the prebuilds that are there, served by a registry of this machine, installed
// without scripts by npm, pnpm, yarn and bun into an empty folder, and used through `import`, `require` and the command.
//
//   npm run test:package [-- --managers npm,pnpm] [--packages FOLDER, packed already] [--as linux-arm64]
//
// `--as` asks each manager for another platform's packages, as for an image that is built here, and runs nothing.
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { here, platforms } from './platforms.mjs'
import { startRegistry } from './registry.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const tools = join(root, '.cache', 'package-managers')
const modules = join(tools, 'node_modules')
// On Windows npm is a script of the shell's, which is not started from here.
const npm = () =>
  process.platform === 'win32'
    ? [process.execPath, join(dirname(process.execPath), 'node_modules/npm/bin/npm-cli.js')]
    : ['npm']
const bin = (path) => [process.execPath, join(modules, path)]
const run = (command, args, options = {}) => {
  try {
    return execFileSync(command, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
    })
  } catch (error) {
    throw new Error(`${command} ${args.join(' ')} failed:\n${error.stdout}\n${error.stderr}`)
  }
}

/** `packages`: what it is; `install`: into a project, from a registry; `node`: how programs are run there. */
const managers = {
  npm: {
    install: (registry) => [
      ...npm(),
      'install',
      'qwen3-embed',
      '--ignore-scripts',
      '--registry',
      registry,
    ],
    as: ({ os, cpu, libc }) => ({
      flags: [`--os=${os}`, `--cpu=${cpu}`, ...(libc ? [`--libc=${libc}`] : [])],
    }),
  },
  pnpm: {
    package: 'pnpm@10.18.3',
    as: ({ os, cpu, libc }) => ({
      files: {
        'pnpm-workspace.yaml': `supportedArchitectures:\n  os: [${os}]\n  cpu: [${cpu}]\n  libc: [${libc ?? 'glibc'}]\n`,
      },
    }),
    install: (registry) => [
      ...bin('pnpm/bin/pnpm.cjs'),
      'add',
      'qwen3-embed',
      '--ignore-scripts',
      '--registry',
      registry,
    ],
  },
  yarn: {
    package: 'yarn@1.22.22',
    // It fetches everything, and installs what fits.
    fetchesAll: true,
    install: (registry) => [
      ...bin('yarn/bin/yarn.js'),
      'add',
      'qwen3-embed',
      '--ignore-scripts',
      '--registry',
      registry,
    ],
  },
  'yarn-pnp': {
    package: '@yarnpkg/cli-dist@4.10.3',
    files: (registry) => ({
      'yarn.lock': '',
      '.yarnrc.yml': [
        `npmRegistryServer: "${registry}"`,
        'unsafeHttpWhitelist: ["127.0.0.1"]',
        'enableScripts: false',
        'enableGlobalCache: false',
        'enableTelemetry: false',
      ].join('\n'),
    }),
    as: ({ os, cpu, libc }) => ({
      files: {
        '.yarnrc.yml': `\nsupportedArchitectures:\n  os: [${os}]\n  cpu: [${cpu}]\n  libc: [${libc ?? 'glibc'}]\n`,
      },
    }),
    install: () => [...bin('@yarnpkg/cli-dist/bin/yarn.js'), 'add', 'qwen3-embed'],
    node: [...bin('@yarnpkg/cli-dist/bin/yarn.js'), 'node'],
  },
  bun: {
    package: bunPackage(),
    as: ({ os, cpu }) => ({ flags: [`--os=${os}`, `--cpu=${cpu}`] }),
    install: (registry) => [
      join(modules, ...bunPackage().split('@').slice(0, 2).join('@').split('/'), 'bin', 'bun'),
      'add',
      'qwen3-embed',
      '--ignore-scripts',
      '--registry',
      registry,
    ],
  },
}

const snippet = `
  Embedder.load('mini').then(async (embedder) => {
    const [query, documents] = [await embedder.embedQuery('German capital'), await embedder.embedDocuments(['Berlin'])]
    console.log(similarity(query, documents[0]) > 0.2 ? 'ok' : 'wrong vectors')
    await embedder.close()
  })`

const { values: options } = parseArgs({
  options: { managers: { type: 'string' }, packages: { type: 'string' }, as: { type: 'string' } },
})
const wanted = options.managers?.split(',') ?? Object.keys(managers)

if (!options.packages) {
  process.stderr.write(run(process.execPath, [join(root, 'scripts', 'pack.mjs'), '--partial']))
}
const registry = await startRegistry(options.packages)
try {
  for (const name of wanted) {
    const manager = managers[name]
    // Yarn 1 knows no other platform than its own.
    if (options.as && manager && !manager.as) continue
    if (!manager)
      throw new Error(`Expected --managers of ${Object.keys(managers)} but received ${name}`)
    if (!fetchManager(manager)) {
      console.log(`${name}: skipped, ${manager.package} could not be fetched`)
      continue
    }
    await tryOut(name, manager)
  }
} finally {
  registry.close()
}

async function tryOut(name, { files, install, as, fetchesAll, node = [process.execPath] }) {
  const own = platforms[options.as ?? here()]
  const foreign = options.as ? as(own) : {}
  const folder = mkdtempSync(join(tmpdir(), `qwen3-embed-${name}-`))
  registry.asked.length = 0
  const env = {
    ...process.env,
    // What the lifecycle script around this one, and this user, have set.
    ...Object.fromEntries(
      Object.keys(process.env)
        .filter((key) => /^npm_/i.test(key))
        .map((key) => [key, undefined]),
    ),
    CI: undefined,
    YARN_ENABLE_IMMUTABLE_INSTALLS: 'false',
    XDG_CACHE_HOME: join(folder, '.cache'),
    XDG_DATA_HOME: join(folder, '.data'),
    BUN_INSTALL_CACHE_DIR: join(folder, '.bun'),
    npm_config_cache: join(folder, '.npm'),
    YARN_CACHE_FOLDER: join(folder, '.yarn-cache'),
  }
  const inside = (command, args) => runAsync(command, args, { cwd: folder, env })
  try {
    writeFileSync(join(folder, 'package.json'), '{ "private": true }')
    for (const [file, text] of [
      ...Object.entries(files?.(registry.url) ?? {}),
      ...Object.entries(foreign.files ?? {}),
    ]) {
      appendFileSync(join(folder, file), text)
    }
    const [command, ...args] = [...install(registry.url), ...(foreign.flags ?? [])]
    const output = await inside(command, args)
    if (/allowScripts|approve-builds|install script/i.test(output)) {
      throw new Error(`${name} warns about scripts:\n${output}`)
    }
    if (!options.as) await use(folder, node, inside)
    const native = fetchesAll
      ? readdirSync(join(folder, 'node_modules', '@qwen3-embed')).map(
          (key) => `@qwen3-embed/${key}`,
        )
      : [...new Set(registry.asked)].filter((one) => one.startsWith('@'))
    if (!native.includes(`@qwen3-embed/${own.key}`)) throw new Error(`${name} took ${native}`)
    const wrong = native.filter((one) => {
      const { os, cpu } = platforms[one.slice('@qwen3-embed/'.length)]
      return os !== own.os || cpu !== own.cpu
    })
    if (wrong.length > 0) throw new Error(`${name} took ${wrong}, which are for other systems`)
    const what = options.as ? `as ${options.as}` : 'and works'
    console.log(`${name}: installs without scripts ${what}; it took ${native.join(', ')}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** README's first snippet as a module and without one, and its second command. */
async function use(folder, node, inside) {
  writeFileSync(
    join(folder, 'esm.mjs'),
    `import { Embedder, similarity } from 'qwen3-embed'\n${snippet}`,
  )
  writeFileSync(
    join(folder, 'cjs.cjs'),
    `const { Embedder, similarity } = require('qwen3-embed')\n${snippet}`,
  )
  // README's own second line, as npx finds it.
  writeFileSync(
    join(folder, 'cli.mjs'),
    `import { createRequire } from 'node:module'
     process.argv.splice(2, 0, 'search', 'how do I get my money back')
     await import(createRequire(import.meta.url).resolve('qwen3-embed/package.json').replace(/package\\.json$/, 'dist/cli/main.js'))`,
  )
  const [program, ...before] = node
  for (const file of ['esm.mjs', 'cjs.cjs']) {
    const printed = (await inside(program, [...before, file])).trim()
    if (!/(^|\n)ok$/.test(printed)) throw new Error(`${file} printed ${printed}`)
  }
  const found = await inside(program, [...before, 'cli.mjs'])
  if (!/return the product/.test(found)) throw new Error(`the command printed ${found}`)
}

// The registry answers from this process: it must not be waited for in it.
async function runAsync(command, args, options) {
  const { spawn } = await import('node:child_process')
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  let [output, errors] = ['', '']
  child.stdout.on('data', (data) => (output += data))
  child.stderr.on('data', (data) => (errors += data))
  const status = await new Promise((resolve) => child.on('close', resolve))
  if (status === 0) return `${output}${/warn/i.test(errors) ? errors : ''}`
  throw new Error(`${command} ${args.join(' ')} ended with ${status}:\n${output}\n${errors}`)
}

function fetchManager({ package: spec }) {
  if (spec === undefined) return true
  const name = spec.slice(0, spec.lastIndexOf('@'))
  if (existsSync(join(modules, name))) return true
  mkdirSync(tools, { recursive: true })
  if (!existsSync(join(tools, 'package.json')))
    writeFileSync(join(tools, 'package.json'), '{ "private": true }')
  try {
    const [command, ...before] = npm()
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--silent']
    run(command, [...before, 'install', spec, ...flags], { cwd: tools })
    return true
  } catch (error) {
    console.log(error.message.split('\n').slice(-3).join(' '))
    return false
  }
}

function bunPackage() {
  const cpu = process.arch === 'arm64' ? 'aarch64' : process.arch
  const suffix = here().endsWith('-musl') ? '-musl' : ''
  const os = { win32: 'windows' }[process.platform] ?? process.platform
  return `@oven/bun-${os}-${cpu}${suffix}@1.3.0`
}
