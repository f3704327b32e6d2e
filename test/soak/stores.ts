// The promises of an object store on a real server: create if absent, among many writers, whole and in parts; ranges; lists.
//
//   AWS_ENDPOINT_URL_S3=http://127.0.0.1:7070 AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… npm run soak:stores -- s3://BUCKET/PREFIX
import { createHash, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { openStore } from 'qwen3-embed/fleet'

const root = `${process.argv[2]}/${randomBytes(4).toString('hex')}`
const store = openStore(root)
const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const said: Record<string, unknown> = {}

async function publish(name: string, bytes: Buffer) {
  const draft = await store.draft(name)
  writeFileSync(draft, bytes)
  return store.publish(name, draft, digest(bytes))
}

async function read(name: string, from?: number, to?: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of store.read(name, from, to)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Writers of different bytes under one name. */
async function race(name: string, writers: number, size: number): Promise<Record<string, unknown>> {
  const all = Array.from({ length: writers }, () => randomBytes(size))
  const published = await Promise.all(all.map((bytes) => publish(name, bytes)))
  const winner = all[published.indexOf('created')]
  return {
    created: published.filter((one) => one === 'created').length,
    different: published.filter((one) => one === 'different').length,
    keepsTheWinner: winner !== undefined && (await read(name)).equals(winner),
    again: winner && (await publish(name, winner)),
  }
}

const odd = 'shards/a+b &ü~(1).npy'
said.odd = [await publish(odd, Buffer.from('one')), `${await read(odd)}`]
said.races = { whole: [] as unknown[], parts: [] as unknown[] }
for (let i = 0; i < 10; i++) {
  ;(said.races as { whole: unknown[] }).whole.push(await race(`race/${i}`, 8, 10_000))
}
;(said.races as { parts: unknown[] }).parts.push(await race('race/large', 3, (64 << 20) + 9))
said.range = `${await read(odd, 1, 3)}`
for (let i = 0; i < 30; i++) await publish(`list/${i}`, Buffer.from(`${i}`))
const names = new Set<string>()
for await (const { name } of store.list('list/')) names.add(name)
said.listed = names.size
await store.remove(odd)
said.removed = (await store.stat(odd)) === undefined
console.log(JSON.stringify(said, null, 1))
const races = Object.values(said.races as object).flat() as {
  created: number
  again: string
  keepsTheWinner: boolean
}[]
const isRight = races.every(
  ({ created, again, keepsTheWinner }) => created === 1 && again === 'same' && keepsTheWinner,
)
if (!isRight || names.size !== 30 || !said.removed || said.range !== 'ne') process.exitCode = 1
