// Starts the child: by fork, or as Electron's utility process. Both look alike from here on.
import { type ChildProcess, type ForkOptions, fork } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { misuse } from '../errors.ts'
import { isBundled, root } from '../root.ts'
import type { Answer, Request } from './protocol.ts'

/** How the child is started, where that is not what it would be by itself. */
export interface Spawning {
  /** The file that the child runs: `dist/process/child.js` of this package, also if a bundler moved it. */
  entry?: string | undefined
  /** The program that runs it: a Node of the same release, where `process.execPath` is no plain Node. */
  execPath?: string | undefined
}

/** How a process ended. */
export interface Exit {
  readonly exitCode: number | null
  readonly signal: string | null
  /** It was ended because it had not answered for so long. */
  readonly hungSeconds?: number
}

/** A running child. */
export interface Link {
  readonly pid: number
  /** The end of what it wrote to stderr. */
  readonly stderr: string
  send(request: Request): void
  kill(): void
  /** Whether it keeps this process running. */
  hold(isHeld: boolean): void
}

export interface LinkEvents {
  onAnswer(answer: Answer): void
  /** Once, when it is gone or could not be started. */
  onExit(exit: Exit | Error): void
}

/** Of Electron's `utilityProcess`. */
interface UtilityProcess {
  readonly pid: number | undefined
  readonly stderr: Readable | null
  on(event: 'message', listener: (message: Answer) => void): void
  on(event: 'exit', listener: (code: number) => void): void
  postMessage(message: Request): void
  kill(): boolean
}

const mark = 'QWEN3_EMBED_CHILD'

/** Electron's name for the kind of process that this is; undefined in Node. */
const electronType = (process as { type?: string }).type

/** Electron's utility processes are what isolation would give: a child of theirs would not even start. */
export const isIsolatedAlready: boolean = electronType === 'utility'

/** Throws where no child can be had. */
export function checkIsolation(execPath: string | undefined): void {
  const refuse = (expected: string) => {
    throw misuse(TypeError, expected, 'the option isolation', 'process')
  }
  const { bun, deno } = process.versions as { bun?: string; deno?: string }
  if (bun || deno) {
    refuse(`none, since ${bun ? 'Bun' : 'Deno'} does not start children as Node does,`)
  }
  if (electronType === 'renderer') refuse('none in a renderer (load in the main process)')
  if (process.env[mark]) refuse('none in a process that was started by it (give execPath: a Node)')
  if (execPath === undefined && isSingleExecutable()) {
    refuse('{ execPath: a Node }, since this executable holds its program and would run it again,')
  }
}

export function spawn({ entry, execPath }: Spawning, events: LinkEvents): Link {
  const file = entry ?? ownEntry()
  return electronType === 'browser' ? spawnUtility(file, events) : spawnFork(file, execPath, events)
}

function spawnFork(file: string, execPath: string | undefined, events: LinkEvents): Link {
  const options: ForkOptions & { windowsHide: boolean } = {
    serialization: 'advanced',
    execArgv: [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: childEnv(),
    windowsHide: true,
    ...(execPath !== undefined && { execPath }),
  }
  const child = fork(file, [], options)
  const tail = tailOf(child.stderr)
  child.on('message', (answer) => events.onAnswer(answer as Answer))
  once(child, tail, events.onExit)
  return {
    get pid() {
      return child.pid ?? 0
    },
    get stderr() {
      return tail.text
    },
    // A child that is gone says so by its exit.
    send: (request) => void (child.connected && child.send(request, () => {})),
    kill: () => void child.kill('SIGKILL'),
    hold(isHeld) {
      const socket = child.stderr as unknown as { ref(): void; unref(): void } | null
      for (const handle of [child, child.channel, socket]) {
        if (isHeld) handle?.ref()
        else handle?.unref()
      }
    },
  }
}

/** What it wrote comes after its end, but not for long where a process of its own holds the pipe. */
function once(child: ChildProcess, tail: Tail, onExit: LinkEvents['onExit']): void {
  let told = false
  const tell = (exit: Exit | Error) => {
    if (told) return
    told = true
    onExit(exit)
  }
  child.on('error', (error) => {
    if (child.pid === undefined) tell(error)
  })
  // A child that hung up is of no use to anybody.
  child.on('disconnect', () => setTimeout(() => child.kill('SIGKILL'), 1000).unref())
  child.on('exit', (exitCode, signal) => {
    const exit = { exitCode, signal }
    if (tail.isEnded) tell(exit)
    child.on('close', () => tell(exit))
    setTimeout(() => tell(exit), 200)
  })
}

function spawnUtility(file: string, events: LinkEvents): Link {
  const electron = createRequire(join(root, 'package.json'))('electron') as {
    utilityProcess: { fork(file: string, args: string[], options: object): UtilityProcess }
  }
  const options = { serviceName: 'qwen3-embed', stdio: 'pipe', env: childEnv(), execArgv: [] }
  const child = electron.utilityProcess.fork(file, [], options)
  const tail = tailOf(child.stderr)
  child.on('message', (answer) => events.onAnswer(answer))
  child.on('exit', (exitCode) => setTimeout(() => events.onExit({ exitCode, signal: null }), 50))
  return {
    get pid() {
      return child.pid ?? 0
    },
    get stderr() {
      return tail.text
    },
    send: (request) => child.postMessage(request),
    kill() {
      try {
        if (child.pid) process.kill(child.pid, 'SIGKILL')
      } catch {
        // Gone already.
      }
    },
    hold() {},
  }
}

interface Tail {
  readonly text: string
  readonly isEnded: boolean
}

const tailChars = 8192

function tailOf(stream: Readable | null): Tail {
  const tail = { text: '', isEnded: stream === null }
  stream?.setEncoding('utf8')
  stream?.on('data', (more: string) => {
    tail.text = (tail.text + more).slice(-tailChars)
  })
  stream?.on('error', () => {})
  stream?.on('end', () => {
    tail.isEnded = true
  })
  return tail
}

/** Beside this file; a bundle has it where the package is installed. */
function ownEntry(): string {
  if (isBundled) return join(root, 'dist', 'process', 'child.js')
  return fileURLToPath(new URL('./child.js', import.meta.url))
}

function childEnv(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, [mark]: '1' }
  // A debugger of the host's: the child would wait for one, or find the port taken.
  env.NODE_OPTIONS = env.NODE_OPTIONS?.replace(/--inspect\S*/g, '')
  if (!env.NODE_OPTIONS) delete env.NODE_OPTIONS
  // Else Metal asserts when the process ends.
  if (process.platform === 'darwin') env.GGML_METAL_NO_RESIDENCY = '1'
  return env
}

function isSingleExecutable(): boolean {
  try {
    const sea = process.getBuiltinModule?.('node:sea') as { isSea(): boolean } | undefined
    return sea?.isSea() ?? false
  } catch {
    return false
  }
}
