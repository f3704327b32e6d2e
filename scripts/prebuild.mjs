// A prebuild for this platform, in prebuilds/<platform>-<arch>, with -musl behind where it is for that. prebuildify drives node-gyp, which comes to our
// CMake build through binding.gyp. node-gyp wants Node's own headers although nothing here compiles against them:
// those beside the running node spare it a download.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { here } from './platforms.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const prefix = join(dirname(process.execPath), '..')
const env = { ...process.env, QWEN3_EMBED_PORTABLE: '1' }
if (existsSync(join(prefix, 'include', 'node', 'node_api.h'))) env.npm_config_nodedir = prefix

const made = join(root, 'prebuilds', `${process.platform}-${process.arch}`)
rmSync(join(root, 'prebuilds', here()), { recursive: true, force: true })
const prebuildify = join(root, 'node_modules', 'prebuildify', 'bin.js')
const args = [prebuildify, '--napi', '--strip', '--name', 'qwen3-embed', ...process.argv.slice(2)]
const { status } = spawnSync(process.execPath, args, { cwd: root, env, stdio: 'inherit' })
if (status !== 0) process.exit(status ?? 1)
const place = join(root, 'prebuilds', here())
if (!existsSync(place)) renameSync(made, place)
// llama.cpp's libraries, where they were compiled too: those that came from npm have nothing left to strip.
const libraries = readdirSync(place).filter((name) => /\.(so|dylib)$/.test(name))
const flag = process.platform === 'darwin' ? '-x' : '--strip-unneeded'
for (const name of process.platform === 'win32' ? [] : libraries) {
  spawnSync('strip', [flag, join(place, name)], { stdio: 'inherit' })
}
