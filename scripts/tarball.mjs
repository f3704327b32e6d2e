// An npm tarball as a folder: fetched once by version, checked against a hash that stands in our sources, never
// installed.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The folder `package` of a tarball, below the folder `cache`. One without a hash is for trying things, of any version:
 * what is released is never built with it.
 */
export function tarball({ name, version, integrity }, cache) {
  const suffix = integrity === undefined ? `@${version}` : ''
  const target = join(cache, name.replace('/', '+') + suffix)
  if (existsSync(target)) return join(target, 'package')
  const scratch = `${target}-${process.pid}`
  rmSync(scratch, { recursive: true, force: true })
  mkdirSync(scratch, { recursive: true })
  console.error(`fetching ${name}@${version} from the npm registry`)
  const spec = `${name}@${version}`
  const words = ['pack', spec, '--ignore-scripts', '--silent', '--pack-destination', scratch]
  const file = join(scratch, npm(words, cache).trim().split('\n').at(-1))
  const found = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`
  if (integrity !== undefined && found !== integrity) {
    rmSync(scratch, { recursive: true, force: true })
    throw new Error(`${spec} has hash ${found}, expected ${integrity}: refusing to build with it`)
  }
  run('tar', ['-xzf', file, '-C', scratch])
  rmSync(file)
  publish(scratch, target, cache)
  return join(target, 'package')
}

/** Two builds may race for the same cache: whoever renames first wins, the other takes what is there. */
export function publish(scratch, target, cache) {
  try {
    renameSync(scratch, target)
  } catch (error) {
    if (!existsSync(target)) throw error
    rmSync(scratch, { recursive: true, force: true })
  }
  writeFileSync(join(cache, '.gitignore'), '*\n')
  return target
}

export function run(command, args) {
  execFileSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] })
}

function npm(args, cwd) {
  const script = process.env.npm_execpath
  const [command, first] = script?.endsWith('.js') ? [process.execPath, [script]] : ['npm', []]
  // npm refuses `pack` under a dry run or a foreign prefix inherited from the lifecycle script around us.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([key]) => !/^npm_config_(dry_run|json|pack_destination)$/i.test(key),
    ),
  )
  return execFileSync(command, [...first, ...args], { encoding: 'utf8', cwd, env })
}
