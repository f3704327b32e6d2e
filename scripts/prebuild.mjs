// A prebuild for this platform, in prebuilds/<platform>-<arch>. prebuildify drives node-gyp, which comes to our
// CMake build through binding.gyp. node-gyp wants Node's own headers although nothing here compiles against them:
// those beside the running node spare it a download.
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const prefix = join(dirname(process.execPath), '..')
const env = { ...process.env }
if (existsSync(join(prefix, 'include', 'node', 'node_api.h'))) env.npm_config_nodedir = prefix

rmSync(join(root, 'prebuilds'), { recursive: true, force: true })
const prebuildify = join(root, 'node_modules', '.bin', 'prebuildify')
const args = ['--napi', '--strip', '--name', 'qwen3-embed', ...process.argv.slice(2)]
process.exit(spawnSync(prebuildify, args, { cwd: root, env, stdio: 'inherit' }).status ?? 1)
