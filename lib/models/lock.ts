import { randomUUID } from 'node:crypto'
import { link, open, readFile, readlink, rename, stat, unlink, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

export interface LockTiming {
  /** How often the owner shows that it lives. */
  beatMs: number
  /** A lock that shows no sign of life for so long is taken over. */
  staleMs: number
  pollMs: number
}

const defaultTiming: LockTiming = { beatMs: 2_000, staleMs: 15_000, pollMs: 200 }

/** Another process took the lock because this one seemed dead (suspended, or its loop blocked). */
export class LeaseLost extends Error {}

/**
 * A lock file between processes. The owner renews it; others take it over when the owner is dead or
 * silent. Since a suspended owner can wake up after that, it must call `hold` before each write.
 */
export class Lease {
  readonly #path: string
  readonly #text: string
  readonly #timing: LockTiming
  #renewed = performance.now()
  #lost = false
  readonly #timer: NodeJS.Timeout

  private constructor(path: string, text: string, timing: LockTiming) {
    this.#path = path
    this.#text = text
    this.#timing = timing
    this.#timer = setInterval(() => void this.#renew(), timing.beatMs)
    this.#timer.unref()
  }

  static async acquire(
    path: string,
    options: {
      signal?: AbortSignal | undefined
      onWait?: (() => Promise<void>) | undefined
      timing?: Partial<LockTiming>
    } = {},
  ): Promise<Lease> {
    const timing = { ...defaultTiming, ...options.timing }
    const text = JSON.stringify({ id: randomUUID(), pid: process.pid, machine: await machine() })
    let seen = ''
    let since = 0
    for (;;) {
      options.signal?.throwIfAborted()
      if (await create(path, text)) return new Lease(path, text, timing)
      const owner = await look(path)
      if (owner === undefined) continue
      const now = performance.now()
      // Silence is measured on this process's own clock: file times may come from another machine.
      if (owner.mark !== seen) {
        seen = owner.mark
        since = now
      }
      if ((await isDead(owner.text)) || now - since > timing.staleMs) {
        await evict(path, owner.text)
        continue
      }
      await options.onWait?.()
      await sleep(timing.pollMs, undefined, { signal: options.signal }).catch(() => {})
    }
  }

  /** Cheap while the last sign of life is recent; throws LeaseLost when another process took over. */
  async hold(): Promise<void> {
    if (!this.#lost && performance.now() - this.#renewed > this.#timing.staleMs / 2) {
      await this.#renew()
    }
    if (this.#lost) throw new LeaseLost(`another process took ${this.#path} over`)
  }

  async release(): Promise<void> {
    clearInterval(this.#timer)
    const owner = await look(this.#path)
    if (owner?.text === this.#text) await unlink(this.#path).catch(() => {})
  }

  async #renew(): Promise<void> {
    try {
      if ((await readFile(this.#path, 'utf8')) !== this.#text) {
        this.#lost = true
        return
      }
      const now = new Date()
      await utimes(this.#path, now, now)
      this.#renewed = performance.now()
    } catch (error) {
      // Anything but a missing file may pass; `hold` tries again before the lease runs out.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') this.#lost = true
    }
  }
}

async function create(path: string, text: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx')
    await file.writeFile(text).finally(() => file.close())
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function look(path: string): Promise<{ text: string; mark: string } | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)])
    return { text, mark: `${text} ${mtimeMs}` }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Only a process of this machine and process namespace can be known dead. */
async function isDead(text: string): Promise<boolean> {
  let owner: { pid?: unknown; machine?: unknown }
  try {
    owner = JSON.parse(text)
  } catch {
    return false
  }
  if (owner.machine !== (await machine()) || typeof owner.pid !== 'number') return false
  try {
    process.kill(owner.pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

/** Moves a stale lock away. Two waiters may try at once: the second must not evict the first's lock. */
async function evict(path: string, text: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`
  try {
    await rename(path, aside)
    if ((await readFile(aside, 'utf8')) !== text) await link(aside, path).catch(() => {})
    await unlink(aside)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    // On Windows a file that another process has open cannot be moved; the next poll tries again.
    if (code !== 'ENOENT' && code !== 'EPERM' && code !== 'EACCES' && code !== 'EBUSY') throw error
  }
}

let machineName: string | undefined

/** Containers may share a host name and a volume but not process ids. */
async function machine(): Promise<string> {
  if (machineName === undefined) {
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')
    const namespace = await readlink('/proc/self/ns/pid').catch(() => '')
    machineName = `${hostname()} ${boot.trim()} ${namespace}`
  }
  return machineName
}
