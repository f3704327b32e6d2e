// clang-format over our C++: --check fails on a difference, --write mends it.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const files = ['native', 'test/native', 'bench/kernels', 'bench/crews'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true })
    .filter((name) => /\.(cc|h)$/.test(name))
    .map((name) => join(folder, name)),
)
const flags = process.argv.includes('--write') ? ['-i'] : ['--dry-run', '--Werror']
const { status, error } = spawnSync('clang-format', [...flags, ...files], {
  cwd: root,
  stdio: 'inherit',
})
if (error) {
  console.error('clang-format is not installed: apt-get install clang-format')
  process.exit(1)
}
process.exit(status ?? 1)
