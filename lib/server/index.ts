export { createHandler, type Handler } from './handler.ts'
export type { LogLine } from './log.ts'
export type { HandlerOptions, Limits } from './options.ts'
export { isOpenTo, type RunningServer, type ServeOptions, serve } from './serve.ts'
