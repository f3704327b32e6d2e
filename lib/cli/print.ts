// The only door to stdout: results and nothing else go through it.
import { once } from 'node:events'

/** Waits while the reader is behind, so that a slow pipe does not fill memory. */
export async function print(bytes: string | Uint8Array): Promise<void> {
  if (!process.stdout.write(bytes)) await once(process.stdout, 'drain')
}

export function printJson(value: unknown): Promise<void> {
  return print(`${JSON.stringify(value, null, 2)}\n`)
}

let isService = false

/** A reader that went away (`| head`) has what it wanted: no error. A service goes on without one. */
export function leaveWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (isService) return
    if (error.code === 'EPIPE') process.exit(0)
    process.stderr.write(`qwen3-embed: could not write the results: ${error.message}\n`)
    process.exit(1)
  })
  // Whoever no longer reads remarks still wants the results.
  process.stderr.on('error', () => {})
}

/** From now on nothing that is written is worth dying for. */
export function becomeService(): void {
  isService = true
}
