// A published package carries prebuilds, so this finds one and does nothing. Without one (a clone, a platform
// we do not build for) it compiles.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const root = fileURLToPath(new URL('..', import.meta.url))
const prebuilt = () => {
  try {
    return require('node-gyp-build').path(root)
  } catch {
    return null
  }
}

if (prebuilt()) process.exit(0)
const build = fileURLToPath(new URL('build-native.mjs', import.meta.url))
process.exit(spawnSync(process.execPath, [build], { stdio: 'inherit' }).status ?? 1)
