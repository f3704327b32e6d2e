import { constants } from 'node:os'

const stopping = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGBREAK'] as const
type Stopping = (typeof stopping)[number]

/** Why work stopped when a signal came; the exit code is 128 plus its number, as shells expect. */
export class Interrupted extends Error {
  readonly exitCode: number

  constructor(name: Stopping) {
    super(`interrupted by ${name}`)
    this.exitCode = 128 + (constants.signals[name] ?? constants.signals.SIGTERM)
  }
}

const controller = new AbortController()
const stop = (name: Stopping) => controller.abort(new Interrupted(name))

/** Aborts on the first signal that ends a process, so that work is left in order; the second one kills as usual. */
export function interruptible(): AbortSignal {
  for (const name of stopping) {
    // A terminal that closes ends what runs in it. What was taken off its terminal, as nohup does it, goes on: Node
    // forgets that nohup had this signal ignored.
    if (name === 'SIGHUP' && !hasTerminal()) process.on(name, () => {})
    else process.once(name, () => stop(name))
  }
  return controller.signal
}

/**
 * What supervisors do in place of a signal: PM2's message, and a cluster's primary that is gone.
 *
 * @returns what to call at the end: a channel that is listened to keeps a process.
 */
export function heedSupervisor(): () => void {
  if (!process.send) return () => {}
  process.on('message', (message) => {
    if (message === 'shutdown') stop('SIGTERM')
  })
  process.once('disconnect', () => stop('SIGTERM'))
  return () => {
    if (process.connected) process.disconnect()
  }
}

function hasTerminal(): boolean {
  return [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY)
}
