export type { Target, TrainOptions, TrainProgress } from './options.ts'
export type { Verdict } from './judge.ts'
export { type TrainResult, train } from './train.ts'
