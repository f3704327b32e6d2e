// The package inside what people put it into: bundlers, file tracers, test runners, compilers, web frameworks. Packs it,
// unpacks it and this platform's package into test/consumers/node_modules, runs the tests there. `npm run test:consumers`
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { here } from './platforms.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, 'test', 'consumers')
const run = (command, args, cwd = folder) => execFileSync(command, args, { cwd, stdio: 'inherit' })

if (!existsSync(join(folder, 'node_modules', 'vite'))) run('npm', ['ci', '--no-audit', '--no-fund'])
if (!existsSync(join(root, 'prebuilds', here()))) throw new Error('Run first: npm run prebuild')
const packed = join(folder, 'node_modules', '.packed')
run(process.execPath, [join(root, 'scripts', 'pack.mjs'), '--partial', '--out', packed], root)
const { packages } = JSON.parse(readFileSync(join(packed, 'packages.json'), 'utf8'))
const tarballs = new Map(packages.map(({ name, file }) => [name, join(packed, file)]))
const tarball = tarballs.get('qwen3-embed')
for (const name of ['qwen3-embed', `@qwen3-embed/${here()}`]) {
  const target = join(folder, 'node_modules', name)
  rmSync(target, { recursive: true, force: true })
  mkdirSync(target, { recursive: true })
  run('tar', ['-xzf', tarballs.get(name), '-C', target, '--strip-components=1'])
}
const { status } = spawnSync('npx', ['vitest', 'run', ...process.argv.slice(2)], {
  cwd: folder,
  stdio: 'inherit',
  env: { ...process.env, PACKED_TARBALL: tarball },
})
process.exit(status ?? 1)
