// The package inside what people put it into: bundlers, file tracers, test runners, compilers, web frameworks. Packs it,
// unpacks it into test/consumers/node_modules (with the build of this checkout where there is no prebuild), runs the tests
// there. `npm run test:consumers`
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, 'test', 'consumers')
const run = (command, args, cwd = folder) => execFileSync(command, args, { cwd, stdio: 'inherit' })

if (!existsSync(join(folder, 'node_modules', 'vite'))) run('npm', ['ci', '--no-audit', '--no-fund'])
const packed = join(folder, 'node_modules', '.packed')
rmSync(packed, { recursive: true, force: true })
mkdirSync(packed)
run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', packed], root)
const tarball = join(
  packed,
  readdirSync(packed).find((name) => name.endsWith('.tgz')),
)
const target = join(folder, 'node_modules', 'qwen3-embed')
rmSync(target, { recursive: true, force: true })
mkdirSync(target)
run('tar', ['-xzf', tarball, '-C', target, '--strip-components=1'])
if (!existsSync(join(target, 'prebuilds'))) {
  const platform = `${process.platform}-${process.arch}`
  cpSync(join(root, 'build', 'Release'), join(target, 'prebuilds', platform), { recursive: true })
}
cpSync(
  join(root, 'node_modules', 'node-gyp-build'),
  join(folder, 'node_modules', 'node-gyp-build'),
  {
    recursive: true,
  },
)
const { status } = spawnSync('npx', ['vitest', 'run', ...process.argv.slice(2)], {
  cwd: folder,
  stdio: 'inherit',
  env: { ...process.env, PACKED_TARBALL: tarball },
})
process.exit(status ?? 1)
