// The other end of thread.ts: what a worker does with calls.
import { parentPort } from 'node:worker_threads'
import { Qwen3Error } from '../index.ts'
import type { Call, Failed, Reply } from './thread.ts'

/** Answers calls in the order in which they come, each when the one before it is done. */
export function serveThread(
  methods: Record<string, (tell: (news: unknown) => void, ...args: never[]) => unknown>,
): void {
  const port = parentPort!
  const say = (reply: Reply) => port.postMessage(reply)
  let last: Promise<void> = Promise.resolve()
  port.on('message', ({ number, method, args }: Call) => {
    last = last.then(async () => {
      try {
        const tell = (news: unknown) => say({ number, news })
        const result = await methods[method]!(tell, ...(args as never[]))
        say({ number, result })
      } catch (error) {
        say({ number, error: failed(error) })
      }
    })
  })
}

function failed(error: unknown): Failed {
  if (error instanceof Qwen3Error) {
    const { name, message, code, problem, facts, remedy } = error
    return { name, message, code, problem, facts, remedy }
  }
  if (error instanceof Error) return { name: error.name, message: error.message }
  return { name: 'Error', message: String(error) }
}
