// The tests again, on the prebuild instead of build/Release: PREBUILDS_ONLY is node-gyp-build's own switch.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url))
const { status } = spawnSync(process.execPath, [vitest, 'run', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, PREBUILDS_ONLY: '1' },
})
process.exit(status ?? 1)
