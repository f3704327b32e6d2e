// Who answers the two calls: a model behind an endpoint, or one of this machine's.
import type { Call } from './prompts.ts'

export interface Generator {
  /** Stands with every row. */
  readonly name: string
  /** What answers depend on, besides the call and its seed. */
  readonly identity: Readonly<Record<string, string | number | null>>
  /** Calls at once. */
  readonly concurrency: number
  /** The answer's text. The same for the same call and seed, whatever else is asked at the time. */
  ask(call: Call, seed: number, signal: AbortSignal | undefined): Promise<string>
  close(): Promise<void>
}
