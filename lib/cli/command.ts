import type { Arguments, Options } from './arguments.ts'

/** What every command can reach besides its own words. */
export interface Session {
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal
  /** No progress, no remarks. */
  readonly quiet: boolean
}

export interface Command {
  readonly name: string
  readonly summary: string
  /** After `qwen3-embed NAME`. */
  readonly usage: readonly string[]
  /** Paragraphs of its help. */
  readonly about: readonly string[]
  readonly options: Options
  readonly examples: readonly (readonly [command: string, what: string])[]
  /** Of a command that is a family: its members, each named `FAMILY MEMBER`. */
  readonly members?: readonly Command[]
  /** A family that is a command too: words that name no member are its own. */
  readonly takesWords?: boolean
  /** @returns false if the work was done but its outcome is a failure: exit code 1; or a code of its own. */
  run(args: Arguments, session: Session): Promise<boolean | number>
}

/** A remark for the person at the terminal, never a result. */
export function remark(session: Session, sentence: string): void {
  if (!session.quiet) process.stderr.write(`${sentence}\n`)
}
