// Of a checkout: compiles the addon, unless it is there. What is published has no such script: it has packages for
// platforms, and `npx qwen3-embed build` for the others.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

if (existsSync(new URL('../build/Release/qwen3-embed.node', import.meta.url))) process.exit(0)
const build = fileURLToPath(new URL('build-native.mjs', import.meta.url))
process.exit(spawnSync(process.execPath, [build], { stdio: 'inherit' }).status ?? 1)
