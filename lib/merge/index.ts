export {
  type MergeMethod,
  type MergeOptions,
  type MergePoint,
  type MergeResult,
  merge,
} from './merge.ts'
export { type SearchOptions, type SearchResult, searchMerge } from './search.ts'
