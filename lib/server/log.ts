/** One answered request. No text of a user is in it, nor anything that he chose freely. */
export interface LogLine {
  /** ISO 8601, of the request's arrival. */
  time: string
  id: string
  method: string
  /** The path as documented, or `other`. */
  route: string
  status: number
  /** From arrival to the end of the answer. */
  ms: number
  /** Why it was refused or failed. */
  code: string | null
  model: string | null
  texts: number
  characters: number
  tokens: number
  cut: number
  firstPassMs: number | null
  /** Of an unexpected failure: where it happened. */
  stack?: string
}

/** The frames of a failure, without its message, which may quote a text. */
export function stackOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const frames = error.stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? []
  return [error.name, ...frames.map((frame) => frame.trim())].join(' | ')
}
