import { readFile, stat, unlink, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { removeFile } from './checkpoint.ts'
import { Misuse } from './misuse.ts'

const beatMs = 5_000
const deadMs = 30_000

/**
 * `FILE.lock`: two runs that write one file would leave holes in it. On this machine its owner is dead when the
 * process is; on another one, or in another container, when it no longer touches the lock.
 */
export class OutputLock {
  readonly #path: string
  readonly #beat: NodeJS.Timeout

  private constructor(path: string) {
    this.#path = path
    this.#beat = setInterval(() => {
      const now = new Date()
      utimes(path, now, now).catch(() => {})
    }, beatMs)
    this.#beat.unref()
  }

  static async take(output: string): Promise<OutputLock> {
    const path = `${output}.lock`
    const mine = JSON.stringify({ pid: process.pid, host: hostname() })
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        await writeFile(path, mine, { flag: 'wx' })
        return new OutputLock(path)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      const owner = await liveOwner(path)
      if (owner) {
        throw new Misuse(
          `${output} is being written by ${owner}. Wait for it, or choose another --output; if it is gone, ` +
            `delete ${path}`,
        )
      }
      await unlink(path).catch(() => {})
    }
    throw new Error(`Could not take ${path}: another run takes it again and again`)
  }

  async release(): Promise<void> {
    clearInterval(this.#beat)
    await removeFile(this.#path)
  }
}

async function liveOwner(path: string): Promise<string | undefined> {
  const { pid, host } = parse(await readFile(path, 'utf8').catch(() => ''))
  // A container may give every run the same number.
  if (host === hostname()) return pid !== process.pid && isAlive(pid) ? `process ${pid}` : undefined
  const facts = await stat(path).catch(() => undefined)
  const isFresh = facts !== undefined && Date.now() - facts.mtimeMs < deadMs
  return isFresh ? `process ${pid} on ${host}` : undefined
}

function parse(text: string): { pid: number; host: string } {
  try {
    return JSON.parse(text) as { pid: number; host: string }
  } catch {
    return { pid: 0, host: 'an unknown machine' }
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
