// Everything at once, in short; `npm run soak:fleet` is the long form.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { trial } from './fixtures/fleet-trial.ts'
import { hasNats, hasRedis } from './fixtures/queue-servers.ts'

const folder = mkdtempSync(join(tmpdir(), 'fleet-trial-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const kind = hasRedis ? 'redis' : hasNats ? 'nats' : 'static'
if (kind !== 'redis') console.log(`79.fleet.trial: redis-server is not installed; by ${kind}`)

it(`workers that die, freeze and have no disk, and a queue (${kind}) that forgets: the same files`, async () => {
  const options = { folder, kind, shards: 40, rowsPerShard: 60, words: 20 } as const
  const told = await trial({ ...options, workers: 3, killEveryMs: 1_500, leaseMs: 3_000 })
  expect(told).toMatchObject({
    identical: told.shards,
    rows: 2_400,
    wrongIds: 0,
    poisoned: 1,
    drafts: 0,
    freezes: 1,
    serverKills: kind === 'static' ? 0 : 1,
    flushes: kind === 'static' ? 0 : 1,
    diskFull: 1,
  })
  expect(told.kills).toBeGreaterThan(0)
  expect(told.inputChanged).toBeGreaterThan(0)
}, 300_000)
