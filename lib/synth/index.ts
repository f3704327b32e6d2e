export type { Document } from './headings.ts'
export type { Endpoint } from './llm/endpoint.ts'
export type { SynthRow } from './row.ts'
export { type SynthOptions, type Synthesised, synth } from './synth.ts'
