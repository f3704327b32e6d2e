// Options that say where shards come from.
import {
  BullSource,
  JetStreamSource,
  readJob,
  type ShardSource,
  StaticSource,
  shareOf,
} from '../../fleet/index.ts'
import type { Arguments, Options } from '../arguments.ts'
import { Misuse } from '../misuse.ts'

export const shareOptions: Options = {
  index: {
    value: 'N',
    help: "this worker's number, from 0; default: Kubernetes', Slurm's or AWS Batch's, as the environment says",
  },
  count: { value: 'N', help: 'how many workers there are; default: as the environment says' },
}

export const queueOption: Options = {
  queue: {
    value: 'URL',
    help: 'a queue there: redis://… (BullMQ: packages bullmq and ioredis) or nats://… (JetStream: @nats-io/transport-node and @nats-io/jetstream)',
  },
}

export const leaseOptions: Options = {
  lease: {
    value: 'SECONDS',
    help: 'with --queue: after so long a shard of a silent worker goes to another; default: 60',
  },
  'max-stalls': {
    value: 'N',
    help: 'with --queue: how often a shard may lose its worker; default: 3; where machines are taken away, 10',
  },
}

/** The job's queue, where one is named. */
export async function queueOf(args: Arguments, out: string): Promise<ShardSource | undefined> {
  const url = args.text('queue')
  if (url === undefined) return undefined
  const kind = /^(rediss?|nats|tls):\/\//.exec(url)?.[1]
  if (kind === undefined)
    throw new Misuse(`--queue takes redis://HOST:PORT or nats://HOST:PORT, not ${url}`)
  const job = (await readJob(out)).name
  const seconds = args.number('lease', 0.5)
  const leaseMs = seconds === undefined ? undefined : seconds * 1000
  const maxStalls = args.integer('max-stalls', 0)
  if (kind.startsWith('redis')) return BullSource.open({ job, url, lockMs: leaseMs, maxStalls })
  const maxDeliveries = maxStalls === undefined ? undefined : maxStalls + 1
  return JetStreamSource.open({ job, url, leaseMs, maxDeliveries })
}

export function outOf(args: Arguments): string {
  const out = args.text('out') ?? args.positionals[0]
  if (out === undefined) throw new Misuse("Expected the job's folder")
  if (args.text('out') === undefined && args.positionals.length > 1)
    throw new Misuse(`Expected one folder but received ${args.positionals.length}`)
  return out
}

/** By arithmetic: this worker's part of all shards, those that are done included: workers start at different times. */
export async function staticSource(args: Arguments, out: string): Promise<ShardSource> {
  const count = args.integer('count', 1)
  const index = args.integer('index', 0)
  if (index !== undefined && count === undefined)
    throw new Misuse('--index needs --count: how many workers there are')
  const share =
    index === undefined
      ? (shareOf(process.env, count) ?? { index: 0, count: 1 })
      : { index, count: count! }
  const source = new StaticSource(share)
  await source.enqueue((await readJob(out)).shards.map(({ id }) => id))
  return source
}
