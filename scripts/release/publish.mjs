// Publishes packages/: the platforms first, so that the main package never names one that is not there; last the one that
// people install. What is there already with the same bytes is left alone, so that a release that broke off goes on.
//
//   node scripts/release/publish.mjs [--dry-run]
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { platforms } from '../platforms.mjs'

const folder = fileURLToPath(new URL('../../packages', import.meta.url))
const { values: options } = parseArgs({
  options: { 'dry-run': { type: 'boolean', default: false } },
})
const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
// The registry compares it with where the build says it comes from; what is wrong shows after the first packages are out.
if (!repositoryOf(manifest) && !options['dry-run']) {
  console.error(
    [
      'package.json says no `repository`, and provenance is refused without the one that this release is built from.',
      'Add "repository": { "type": "git", "url": "git+https://…" } to it, pack again and publish: nothing was published.',
    ].join('\n'),
  )
  process.exit(1)
}
const { version, packages } = JSON.parse(readFileSync(join(folder, 'packages.json'), 'utf8'))

const missing = Object.keys(platforms).filter(
  (key) => !packages.some(({ name }) => name === `@qwen3-embed/${key}`),
)
if (missing.length > 0 && !options['dry-run']) {
  console.error(
    `The release is incomplete, there is no package for ${missing.join(', ')}: nothing was published`,
  )
  process.exit(1)
}
const inOrder = [...packages].sort(
  (a, b) => (a.name === 'qwen3-embed') - (b.name === 'qwen3-embed'),
)
for (const { name, file, integrity } of inOrder) {
  const there = published(name)
  if (there === integrity) {
    console.log(`${name}@${version} is there already`)
    continue
  }
  if (there !== undefined) {
    console.error(
      `${name}@${version} is there with other bytes: a version is never published twice`,
    )
    process.exit(1)
  }
  const flags = ['--access', 'public', ...(options['dry-run'] ? ['--dry-run'] : ['--provenance'])]
  const { status } = spawnSync(
    'npm',
    ['publish', join(folder, file), '--ignore-scripts', ...flags],
    {
      stdio: 'inherit',
    },
  )
  if (status !== 0) process.exit(status ?? 1)
}

function repositoryOf({ repository }) {
  return typeof repository === 'string' ? repository : repository?.url
}

function published(name) {
  if (options['dry-run']) return undefined
  const { stdout, status } = spawnSync('npm', ['view', `${name}@${version}`, 'dist.integrity'], {
    encoding: 'utf8',
  })
  return status === 0 && stdout.trim() !== '' ? stdout.trim() : undefined
}
