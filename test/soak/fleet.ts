// A job of at least 200 shards by 4 worker processes, by each kind of source, while workers are killed and frozen, a disk
// is full, the queue is killed and emptied, a text kills and an input changes: the files are those of one quiet machine.
//
//   npm run soak:fleet [-- --kinds redis,nats,static --shards 200 --rows 150 --words 30 --kill 4000 --lease 8000]
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { trial, type TrialOptions } from '../fixtures/fleet-trial.ts'

const { values } = parseArgs({
  options: {
    kinds: { type: 'string', default: 'redis,nats,static' },
    shards: { type: 'string', default: '200' },
    rows: { type: 'string', default: '150' },
    words: { type: 'string', default: '30' },
    workers: { type: 'string', default: '4' },
    kill: { type: 'string', default: '4000' },
    lease: { type: 'string', default: '8000' },
  },
})
const at = mkdtempSync(join(tmpdir(), 'fleet-soak-'))
for (const kind of values.kinds.split(',') as TrialOptions['kind'][]) {
  const told = await trial({
    // The same inputs and the same quiet run for all.
    folder: at,
    kind,
    shards: Number(values.shards),
    rowsPerShard: Number(values.rows),
    words: Number(values.words),
    workers: kind === 'static' ? 3 : Number(values.workers),
    killEveryMs: Number(values.kill),
    leaseMs: Number(values.lease),
    say: (line) => console.log(`${kind}: ${line}`),
  })
  console.log(kind, JSON.stringify(told, null, 1))
  const isRight =
    told.identical === told.shards &&
    told.wrongIds === 0 &&
    told.poisoned === 1 &&
    told.drafts === 0 &&
    told.diskFull > 0 &&
    told.inputChanged > 0 &&
    told.freezes === 1
  if (!isRight) process.exitCode = 1
}
rmSync(at, { recursive: true, force: true })
