export { type Finished, finish, type Status, status, type Totals } from './finish.ts'
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
export { type Estimate, estimate, measure, type PlanOptions, plan } from './plan.ts'
export type { Receipt } from './receipt.ts'
export type { Claim, Counts, ShardSource } from './source.ts'
export { BullSource, type BullSourceOptions } from './sources/bullmq.ts'
export { type Share, StaticSource, shareOf } from './sources/static.ts'
export { type Outcome, type WorkOptions, type WorkReport, work } from './work.ts'
