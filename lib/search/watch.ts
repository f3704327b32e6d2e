// Folders that are looked at again when something in them changes: told by @parcel/watcher where it is installed,
// else asked now and then.
import { setTimeout as sleep } from 'node:timers/promises'
import type { OnProgress } from '../index.ts'
import type { Report } from './update.ts'
import type { Root } from './types.ts'

interface Watched {
  roots(): Promise<Root[]>
  update(options: {
    signal?: AbortSignal | undefined
    onProgress?: OnProgress | undefined
  }): Promise<Report>
}

/** Without a watcher. */
const everyMs = 30_000
/** Also with one: it may miss what happens on network drives, or while it is overwhelmed. */
const everyWatchedMs = 300_000
/** Editors write a file in several steps. */
const quietMs = 200

export async function* watchRoots(
  index: Watched,
  { signal, onProgress }: { signal?: AbortSignal | undefined; onProgress?: OnProgress | undefined },
): AsyncGenerator<Report> {
  const bell = new Bell()
  const watching = await watchers(await index.roots(), () => bell.ring())
  try {
    for (let isFirst = true; !signal?.aborted; isFirst = false) {
      let report: Report
      try {
        report = await index.update({ signal, onProgress })
      } catch (error) {
        if (signal?.aborted) return
        throw error
      }
      if (isFirst || report.read + report.removed + report.failed + report.skipped > 0) yield report
      await bell.wait(watching ? everyWatchedMs : everyMs, signal)
    }
  } finally {
    await watching?.close()
  }
}

/** Rings once however often it is struck, and keeps one ring for who is not waiting. */
class Bell {
  #rung = false
  #wake: (() => void) | undefined

  ring(): void {
    this.#rung = true
    this.#wake?.()
  }

  async wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const ended = new AbortController()
    const end = () => ended.abort()
    signal?.addEventListener('abort', end, { once: true })
    this.#wake = end
    if (!this.#rung && !signal?.aborted)
      await sleep(ms, undefined, { signal: ended.signal }).catch(() => {})
    this.#wake = undefined
    signal?.removeEventListener('abort', end)
    if (this.#rung && !signal?.aborted) await sleep(quietMs)
    this.#rung = false
  }
}

async function watchers(roots: readonly Root[], onChange: () => void) {
  let watcher: typeof import('@parcel/watcher')
  try {
    watcher = await import('@parcel/watcher')
  } catch {
    return undefined
  }
  const options = { ignore: ['**/node_modules/**', '**/.git/**', '**/*.qwen3-embed.index*'] }
  const subscriptions = await Promise.allSettled(
    roots.map(({ path }) =>
      watcher.subscribe(
        path,
        (_, events) => {
          if (events.length > 0) onChange()
        },
        options,
      ),
    ),
  )
  const open = subscriptions.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const close = async () => {
    await Promise.all(open.map((one) => one.unsubscribe()))
  }
  if (open.length === roots.length) return { close }
  // Too many folders for the system, or one that is not there: all are asked.
  await close()
  return undefined
}
