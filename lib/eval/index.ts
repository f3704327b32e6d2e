export { Comparison, compare, type Difference } from './compare.ts'
export { evaluate } from './evaluate.ts'
export type { EvaluateOptions } from './options.ts'
export { type Baseline, baselines } from './plan/baselines.ts'
export { instructionOf } from './plan/instructions.ts'
export {
  type PlannedTask,
  type PlanOptions,
  planSuite,
  planTable,
  type SuiteName,
  suites,
} from './plan/plan.ts'
export { runSuite, type SuiteOptions, type SuiteReport, type SuiteTask } from './plan/suite.ts'
export type { Cell } from './plan/tables.ts'
export { collections } from './read/collections.ts'
export { type Judged, readJudged } from './read/judged.ts'
export { openDataset } from './read/open.ts'
export { type PullOptions, pullCollection } from './read/pull.ts'
export { type Remark, Remarks } from './read/remarks.ts'
export { type Qrels, type Run, readQrels, readRun, runLines } from './read/trec.ts'
export { type PlotName, plotNames, plotsOf, reportSvg } from './report/plots.ts'
export type { DatasetFacts, Evidence, Histogram, Report, System } from './report/report.ts'
export { reportText } from './report/text.ts'
export { type ByQuery, type Score, type ScoreOptions, score } from './score.ts'
export type { Estimate } from './statistics/bootstrap.ts'
export type { EvalProgress } from './tasks/context.ts'
