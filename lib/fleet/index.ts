export { type Estimate, estimate, measure } from './estimate.ts'
export { type Finished, type FinishOptions, finish } from './finish.ts'
export {
  type Job,
  type JobFacts,
  type Manifest,
  type PlannedInput,
  type Shard,
  type ShardFormat,
  type ShardId,
  readJob,
} from './manifest.ts'
export { metricsText } from './metrics.ts'
export { type PlanOptions, plan } from './plan.ts'
export type { Row } from './output/shard-file.ts'
export type { Receipt } from './receipt.ts'
export { readRows, type ShardRows } from './rows.ts'
export type { Claim, Counts, ShardSource } from './source.ts'
export { BullSource, type BullSourceOptions } from './sources/bullmq.ts'
export { JetStreamSource, type JetStreamSourceOptions } from './sources/jetstream.ts'
export { type Share, StaticSource, shareOf } from './sources/static.ts'
export { type Status, status, type Totals } from './status.ts'
export { type Item, openStore, type Published, type Store } from './stores/store.ts'
export { type Outcome, type WorkOptions, type WorkReport, work } from './work.ts'
