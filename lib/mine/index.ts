export { type Mined, type MinedRow, type MineReport, mine } from './mine.ts'
export type { MineOptions } from './options.ts'
export type { Method } from './select.ts'
