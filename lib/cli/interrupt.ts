/** Why work stopped when a signal came; the exit code is 128 plus its number, as shells expect. */
export class Interrupted extends Error {
  readonly exitCode: number

  constructor(name: 'SIGINT' | 'SIGTERM') {
    super(`interrupted by ${name}`)
    this.exitCode = name === 'SIGINT' ? 130 : 143
  }
}

/** Aborts on the first Ctrl-C, so that work is left in order; the second one kills as usual. */
export function interruptible(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => controller.abort(new Interrupted(name)))
  }
  return controller.signal
}
