// The other end of thread.ts: what a worker does with calls.
import { parentPort } from 'node:worker_threads'
import { Qwen3Error } from '../errors.ts'
import type { Call, Failed, Reply } from './thread.ts'

/** What a call may say before it ends, and whether its caller still wants it. */
export interface Tell {
  (news: unknown): void
  readonly signal: AbortSignal
}

/** Answers calls in the order in which they come, each when the one before it is done. */
export function serveThread(
  methods: Record<string, (tell: Tell, ...args: never[]) => unknown>,
): void {
  const port = parentPort!
  const say = (reply: Reply) => port.postMessage(reply)
  const open = new Map<number, AbortController>()
  let last: Promise<void> = Promise.resolve()
  port.on('message', (message: Call | { readonly abort: number }) => {
    if ('abort' in message) {
      open.get(message.abort)?.abort()
      return
    }
    const { number, method, args } = message
    const controller = new AbortController()
    open.set(number, controller)
    last = last.then(async () => {
      try {
        const news = (news: unknown) => say({ number, news })
        const tell = Object.assign(news, { signal: controller.signal })
        const result = await methods[method]!(tell, ...(args as never[]))
        say({ number, result })
      } catch (error) {
        say({ number, error: failed(error) })
      } finally {
        open.delete(number)
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
