// Options that say where shards come from.
import { type ShardSource, StaticSource, shareOf, status } from '../../fleet/index.ts'
import type { Arguments, Options } from '../arguments.ts'
import { Misuse } from '../misuse.ts'

export const shareOptions: Options = {
  index: {
    value: 'N',
    help: "this worker's number, from 0; default: Kubernetes', Slurm's or AWS Batch's, as the environment says",
  },
  count: { value: 'N', help: 'how many workers there are; default: as the environment says' },
}

export function outOf(args: Arguments): string {
  const out = args.text('out') ?? args.positionals[0]
  if (out === undefined) throw new Misuse("Expected the job's folder")
  if (args.text('out') === undefined && args.positionals.length > 1)
    throw new Misuse(`Expected one folder but received ${args.positionals.length}`)
  return out
}

/** By arithmetic: all shards of the job that are this worker's. */
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
  await source.enqueue((await status(out)).missing)
  return source
}
