export { type Listing, listFolder } from './list-folder.ts'
export type { Document, IndexOptions, SearchOptions, UpdateOptions } from './options.ts'
export {
  dataFolder,
  findIndexes,
  type FoundIndex,
  hereName,
  holds,
  indexPath,
  removeIndex,
} from './places.ts'
export { Index } from './search-index.ts'
export type { PassageText } from './store/answer.ts'
export type { ExportedPassage, Finding } from './store/check.ts'
export type { ListedFile, RootStatus, SpaceStatus, Status, Unread } from './store/status.ts'
export {
  type Answer,
  type Filters,
  type Hit,
  type Kind,
  kinds,
  type Root,
  type Rules,
} from './types.ts'
export type { Report } from './update.ts'
