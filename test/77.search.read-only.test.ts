import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Embedder } from 'qwen3-embed'
import { Index } from 'qwen3-embed/search'
import { afterAll, expect, it } from 'vitest'

const base = mkdtempSync(join(tmpdir(), 'search-read-only-'))
const medium = join(base, 'medium')
mkdirSync(medium)
const mount = (...args: string[]) => spawnSync('mount', args).status === 0
// Permissions do not stop root: a file system does.
const mounted = process.platform === 'linux' && mount('-t', 'tmpfs', 'tmpfs', medium)
if (!mounted) console.log('Skipped: a read-only medium, as nothing can be mounted here.')
afterAll(() => {
  if (mounted) spawnSync('umount', [medium])
  rmSync(base, { recursive: true, force: true })
})

it.skipIf(!mounted)('an index on a read-only medium is searched', async () => {
  const folder = join(base, 'files')
  mkdirSync(folder)
  writeFileSync(join(folder, 'lantern.md'), '# Lantern\n\nThe lantern stands beside the harbour.\n')
  const path = join(base, 'index.qwen3idx')
  await using embedder = await Embedder.load('mini')
  {
    await using index = await Index.open(path, { embedder })
    await index.addRoot(folder)
    await index.update()
  }
  // SQLite asks for more than a plain path says where it is read as it stands.
  const there = join(medium, 'what? 100% #1')
  cpSync(path, there)
  expect(mount('-o', 'remount,ro', medium)).toBe(true)
  await using index = await Index.open(there, { embedder, readOnly: true })
  const { hits } = await index.search('where is the lantern')
  expect(hits[0]).toMatchObject({ path: expect.stringContaining('lantern.md') })
})
