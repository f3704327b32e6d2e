// What a real Redis carries for a job of so many shards: memory, and commands for each shard and each renewed lease.
//
//   node bench/fleet/queue.mjs [--shards 170000] > bench/fleet/queue.json
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import { BullSource } from '../../dist/fleet/index.js'

const { values } = parseArgs({ options: { shards: { type: 'string', default: '170000' } } })
const shards = Number(values.shards)
const folder = mkdtempSync(join(tmpdir(), 'fleet-queue-'))
const port = 7411
const words = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', '']
const server = spawn('redis-server', [...words, '--appendonly', 'yes'], { stdio: 'ignore' })
const url = `redis://127.0.0.1:${port}`
const client = new Redis(url, { maxRetriesPerRequest: null })
client.on('error', () => {})
const fact = async (section, name) =>
  Number(new RegExp(`${name}:(\\d+)`).exec(await client.info(section))[1])
const memory = () => fact('memory', 'used_memory')
const calls = () => fact('stats', 'total_commands_processed')

const receipt = (shard) => ({
  shard,
  job: 'f'.repeat(32),
  rows: 2_941,
  tokens: 376_448,
  failed: 0,
  sha256: 'f'.repeat(64),
  idsSha256: 'f'.repeat(64),
  bytes: 12_046_464,
  fingerprint: 'f'.repeat(32),
  kernels: 'avx512-vnni',
  version: '0.1.0',
  ms: 577_000,
})
const ids = Array.from({ length: shards }, (_, i) => `shard-${`${i}`.padStart(7, '0')}`)
const source = await BullSource.open({ job: 'bench', url, lockMs: 60_000 })
const empty = await memory()
const addedAt = performance.now()
await source.enqueue(ids)
const addSeconds = (performance.now() - addedAt) / 1000
const full = await memory()

const some = Math.min(2_000, shards)
const before = await calls()
const workedAt = performance.now()
const signal = new AbortController().signal
for (let i = 0; i < some; i++) {
  const claim = await source.claim(signal)
  await claim.complete(receipt(claim.shard))
}
const workSeconds = (performance.now() - workedAt) / 1000
const perShard = ((await calls()) - before) / some
const done = await memory()

// A lease is renewed by one script: what it calls counts too.
const claim = await source.claim(signal)
const renewals = await calls()
await sleep(16_000)
const perRenewal = (await calls()) - renewals
await claim.release()

console.log(
  JSON.stringify(
    {
      redis: (await client.info('server')).match(/redis_version:(\S+)/)[1],
      shards,
      addSeconds: Number(addSeconds.toFixed(1)),
      bytesWaiting: Math.round((full - empty) / shards),
      bytesDone: Math.round((full - empty) / shards + (done - full) / some),
      megabytesWaiting: Math.round((full - empty) / 2 ** 20),
      commandsPerShard: Number(perShard.toFixed(1)),
      commandsPerRenewal: perRenewal,
      claimAndCompleteMs: Number(((workSeconds / some) * 1000).toFixed(2)),
    },
    null,
    2,
  ),
)
await source.close()
client.disconnect()
const gone = new Promise((resolve) => server.once('exit', resolve))
server.kill()
await gone
rmSync(folder, { recursive: true, force: true })
