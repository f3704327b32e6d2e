// llama.cpp for the build: headers (or sources) out of the git bundle that node-llama-cpp carries, and the
// shared libraries of its platform package. Both are npm tarballs, fetched once by version and checked
// against the hashes below; neither is installed, because installing node-llama-cpp drags in every GPU backend.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { publish, run, tarball } from './tarball.mjs'

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
  const folder = tarball({ ...entry, version }, cache)
  return join(folder, 'bins', platform)
}

/** Another npm package for trying things, by its version: its folder. What is released is never built with one. */
export function fetchPackage(name, of) {
  return tarball({ name, version: of }, cache)
}

function checkout(kind, paths) {
  const target = join(cache, kind)
  if (existsSync(target)) return target
  const repository = join(tarball({ ...bundle, version }, cache), 'llama', 'gitRelease.bundle')
  const scratch = join(cache, `${kind}-${process.pid}`)
  rmSync(scratch, { recursive: true, force: true })
  run('git', ['clone', '--quiet', '--bare', repository, `${scratch}.git`])
  const archive = execFileSync('git', ['-C', `${scratch}.git`, 'archive', 'HEAD', ...paths], {
    maxBuffer: 1 << 30,
  })
  mkdirSync(scratch, { recursive: true })
  execFileSync('tar', ['-xf', '-', '-C', scratch], { input: archive })
  rmSync(`${scratch}.git`, { recursive: true, force: true })
  return publish(scratch, target, cache)
}
