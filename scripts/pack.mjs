// The tarballs that are published: one with JavaScript and the bundled model, one for each platform that was built.
//
//   npm run prebuild && node scripts/pack.mjs [--partial] [--out packages]
//
// `--partial` takes the platforms that are there; without it one that is missing is an error. A plain `npm pack` or
// `npm publish` of the checkout is refused: it would publish a package that finds no addon anywhere.
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { asksForCxxLibrary, faultsOf } from './check-binary.mjs'
import { neededLibraries, platforms, trialMark } from './platforms.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values: options } = parseArgs({
  options: {
    partial: { type: 'boolean', default: false },
    out: { type: 'string', default: 'packages' },
  },
})
const out = resolve(root, options.out)
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const { version } = manifest
const megabyte = 1e6
/** What `npx qwen3-embed build` needs beside a compiler: told, and installed by nobody who does not build. */
const sourceBuild = Object.fromEntries(
  ['cmake-js', 'node-addon-api', 'node-api-headers'].map((name) => [
    name,
    `^${manifest.devDependencies[name].replace(/^\D/, '')}`,
  ]),
)
const most = { main: 16 * megabyte, platform: 16 * megabyte }

const built = Object.keys(platforms).filter((key) => existsSync(join(root, 'prebuilds', key)))
const missing = Object.keys(platforms).filter((key) => !built.includes(key))
if (built.length === 0 || (missing.length > 0 && !options.partial)) {
  fail(
    [
      `No prebuild for ${missing.join(', ')}.`,
      'Build them (npm run prebuild on each), put them into prebuilds/, or say --partial to try what is there.',
    ].join(' '),
  )
}

execFileSync('npm', ['run', '--silent', 'build:ts'], { cwd: root, stdio: 'inherit' })
rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
const work = mkdtempSync(join(tmpdir(), 'qwen3-embed-pack-'))
try {
  const made = built.map((key) => packPlatform(platforms[key]))
  made.push(packMain())
  for (const { name, file, packed, unpacked, limit } of made) {
    console.log(`${name}: ${size(packed)} packed, ${size(unpacked)} unpacked (${file})`)
    if (packed > limit) fail(`${name} is larger than ${size(limit)}`)
  }
  writeFileSync(
    join(out, 'packages.json'),
    `${JSON.stringify({ version, packages: made }, null, 2)}\n`,
  )
} finally {
  rmSync(work, { recursive: true, force: true })
}

function packPlatform(platform) {
  const { key, os, cpu, libc } = platform
  const from = join(root, 'prebuilds', key)
  const files = readdirSync(from).filter((name) => name !== trialMark)
  if (!options.partial && existsSync(join(from, trialMark)))
    fail(`prebuilds/${key} was built for trying only`)
  for (const needed of [/^qwen3-embed\.node$/, ...neededLibraries(platform)]) {
    if (!files.some((name) => needed.test(name)))
      fail(`prebuilds/${key} has no file like ${needed}`)
  }
  const faults = files.flatMap((name) => faultsOf(join(from, name), platform))
  if (os === 'linux' && asksForCxxLibrary(join(from, 'qwen3-embed.node'))) {
    faults.push(`prebuilds/${key}/qwen3-embed.node asks for the system's libstdc++`)
  }
  if (faults.length > 0) fail(faults.join('\n'))
  const folder = join(work, key)
  mkdirSync(folder)
  for (const name of files) copyFileSync(join(from, name), join(folder, name))
  copyFileSync(join(root, 'LICENSE'), join(folder, 'LICENSE'))
  writeFileSync(
    join(folder, 'index.js'),
    [
      "const { join } = require('node:path')",
      "exports.binding = join(__dirname, 'qwen3-embed.node')",
      "exports.version = require('./package.json').version",
      '',
    ].join('\n'),
  )
  const name = `@qwen3-embed/${key}`
  writeFileSync(
    join(folder, 'README.md'),
    `# ${name}\n\nThe native part of [qwen3-embed](https://www.npmjs.com/package/qwen3-embed) for ${key}. Install that one.\n`,
  )
  const json = {
    name,
    version,
    description: `The native part of qwen3-embed for ${key}`,
    ...shared(),
    os: [os],
    cpu: [cpu],
    ...(libc && { libc: [libc] }),
    main: './index.js',
    files: ['index.js', ...files],
    preferUnplugged: true,
    publishConfig: { access: 'public', provenance: true },
  }
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(json, null, 2)}\n`)
  return { ...pack(folder), limit: most.platform }
}

/** The checkout's own file list, with a package.json that has no scripts and needs the platforms' packages. */
function packMain() {
  const folder = join(work, 'main')
  mkdirSync(folder)
  const whole = npmPack(root, work)
  execFileSync('tar', ['-xzf', join(work, whole.filename), '-C', folder, '--strip-components=1'])
  const { scripts: _, devDependencies: __, overrides: ___, binary: ____, ...kept } = manifest
  const json = {
    ...kept,
    preferUnplugged: true,
    optionalDependencies: Object.fromEntries(
      Object.keys(platforms).map((key) => [`@qwen3-embed/${key}`, version]),
    ),
    peerDependencies: { ...manifest.peerDependencies, ...sourceBuild },
    peerDependenciesMeta: {
      ...manifest.peerDependenciesMeta,
      ...Object.fromEntries(Object.keys(sourceBuild).map((name) => [name, { optional: true }])),
    },
    publishConfig: { access: 'public', provenance: true },
  }
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(json, null, 2)}\n`)
  for (const target of targetsOf(json.exports)) {
    if (!existsSync(join(folder, target))) fail(`The package exports ${target}, which is not in it`)
  }
  return { ...pack(folder), limit: most.main }
}

function targetsOf(exports) {
  if (typeof exports === 'string') return exports.includes('*') ? [] : [exports]
  return Object.values(exports).flatMap(targetsOf)
}

function shared() {
  const { license, engines, repository, homepage, bugs } = manifest
  return { license, engines, repository, homepage, bugs }
}

function pack(folder) {
  const { name, filename, size: packed, unpackedSize, integrity } = npmPack(folder, out)
  return { name, file: filename, packed, unpacked: unpackedSize, integrity }
}

function npmPack(folder, destination) {
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', destination]
  const env = { ...process.env, npm_config_dry_run: '' }
  const [made] = JSON.parse(execFileSync('npm', args, { cwd: folder, encoding: 'utf8', env }))
  return { ...made, size: statSync(join(destination, made.filename)).size }
}

function size(bytes) {
  return `${(bytes / megabyte).toFixed(1)} MB`
}

function fail(sentence) {
  console.error(sentence)
  process.exit(1)
}
