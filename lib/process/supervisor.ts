// Keeps one child running for one load: started, watched, started again, ended when nobody uses it.
import { Qwen3Error } from '../errors.ts'
import { added, noStats, type ProcessStats } from '../engine.ts'
import type { NativeLoadOptions, NativeModelFacts, NativeStats } from '../native.ts'
import { version } from '../root.ts'
import { Deaths } from './deaths.ts'
import { type Answer, errorOf, type Load, type RunRequest, type RunResult } from './protocol.ts'
import { Pulse } from './pulse.ts'
import { type Exit, type Link, type Spawning, spawn } from './spawn.ts'

/** How a child is kept, beside how it is started. */
export interface Keeping extends Spawning {
  /** Whether calls that ran when the process died are run again, once. */
  retry: boolean
  /** Deaths within a minute after which calls reject until the minute is over. */
  maxRestarts: number
  /** Resident bytes from which on the process is replaced between two calls. */
  maxMemory: number
}

/** A request that is waiting or running, and whoever waits for its result. */
export interface Piece {
  readonly request: RunRequest
  readonly resolve: (result: RunResult) => void
  readonly reject: (error: unknown) => void
  readonly onDone: ((done: number) => void) | undefined
}

interface Held extends Piece {
  deaths: number
  /** Nobody waits for it any more. */
  isDropped: boolean
}

interface Opening {
  readonly promise: Promise<NativeModelFacts>
  readonly resolve: (facts: NativeModelFacts) => void
  readonly reject: (error: unknown) => void
  readonly listeners: Set<(fraction: number) => void>
}

const helloMs = 60_000
const closeMs = 5_000

export class Supervisor {
  readonly #options: NativeLoadOptions
  readonly #keeping: Keeping
  readonly #onEnd: () => void
  #link: Link | undefined
  #opening: Opening | undefined
  #facts: NativeModelFacts | undefined
  #waiting: Held[] = []
  readonly #running = new Map<number, Held>()
  #users = 0
  #lastId = 0
  #loadId = 0
  #timer: NodeJS.Timeout | undefined
  readonly #deaths: Deaths
  readonly #pulse = new Pulse(
    () => this.#link?.send({ op: 'ping' }),
    (seconds) => this.#hung(seconds),
  )
  #restarts = 0
  /** It was told to load. */
  #isGreeted = false
  #isReady = false
  #isEnding = false
  #isHeavy = false
  /** It was told to end, so that the next one can take over. */
  #isLeaving = false
  #ended: (() => void) | undefined
  #memory = 0
  #stats = noStats
  /** Of children of before. */
  #before = noStats

  constructor(options: NativeLoadOptions, keeping: Keeping, onEnd: () => void) {
    this.#options = options
    this.#keeping = keeping
    this.#deaths = new Deaths(keeping.maxRestarts)
    this.#onEnd = onEnd
  }

  /** One more user; resolves when the model is loaded. */
  async join(onFraction: (fraction: number) => void): Promise<NativeModelFacts> {
    this.#users++
    const refusal = this.#deaths.refusal()
    if (refusal) throw refusal
    const opening = this.#start()
    if (!opening) return this.#facts!
    opening.listeners.add(onFraction)
    this.#hold()
    return opening.promise.finally(() => opening.listeners.delete(onFraction))
  }

  /** One user fewer; the last one waits for the child's end. */
  async leave(): Promise<void> {
    if (--this.#users > 0) return
    this.#isEnding = true
    this.#onEnd()
    clearTimeout(this.#timer)
    const link = this.#link
    if (!link) return this.#giveUp(closedError())
    await new Promise<void>((resolve) => {
      this.#ended = resolve
      link.hold(true)
      link.send({ op: 'close' })
      setTimeout(() => link.kill(), closeMs).unref()
      // While it loads it cannot answer.
      if (!this.#isReady) link.kill()
    })
  }

  nextId(): number {
    return ++this.#lastId
  }

  submit(piece: Piece): void {
    const refusal = this.#deaths.refusal()
    if (refusal) {
      piece.reject(refusal)
      return
    }
    this.#waiting.push({ ...piece, deaths: 0, isDropped: false })
    this.#start()
    this.#pump()
  }

  /** Nobody waits for these any more. */
  drop(ids: Iterable<number>): void {
    const dropped = new Set(ids)
    this.#waiting = this.#waiting.filter(({ request }) => !dropped.has(request.id))
    for (const id of dropped) {
      const held = this.#running.get(id)
      if (!held) continue
      held.isDropped = true
      this.#link?.send({ op: 'cancel', id })
    }
    this.#hold()
  }

  stats(): NativeStats & { process: ProcessStats } {
    const sum = added(this.#before, this.#stats)
    const process = { pid: this.#link?.pid ?? 0, memory: this.#memory, restarts: this.#restarts }
    return { ...sum, process }
  }

  /** Nothing to wait for: undefined. */
  #start(): Opening | undefined {
    if (this.#isReady || this.#opening || this.#timer) return this.#opening
    const opening = openingOf()
    this.#opening = opening
    this.#spawn()
    return this.#opening
  }

  #spawn(): void {
    this.#deaths.watch()
    this.#isHeavy = false
    this.#isLeaving = false
    // Events of a child that is given up are nobody's.
    const mine = () => this.#link === link
    let isGreeted = false
    let link: Link | undefined
    const onExit = (exit: Exit | Error) => {
      clearTimeout(silence)
      if (link === undefined || mine()) this.#died(exit)
    }
    const silence = setTimeout(() => link?.kill(), helloMs)
    silence.unref()
    try {
      link = spawn(this.#keeping, {
        onAnswer: (answer) => {
          if (!mine()) return
          this.#pulse.heard()
          if (isGreeted) return this.#heard(answer)
          isGreeted = true
          clearTimeout(silence)
          this.#greeted(answer)
        },
        onExit,
      })
    } catch (error) {
      // Where starting processes is forbidden, at once.
      setImmediate(onExit, error as Error)
      return
    }
    this.#link = link
    this.#hold()
  }

  #greeted(answer: Answer): void {
    const theirs = answer.is === 'hello' ? answer.version : 'another'
    if (theirs === version) {
      this.#loadId = this.nextId()
      this.#link!.send({ op: 'load', id: this.#loadId, options: this.#options })
      this.#isGreeted = true
      this.#hold()
      return
    }
    const problem = `Expected a child of version ${version} but it is of version ${theirs}`
    const remedy = 'The package was exchanged under a running program: start the program again.'
    this.#giveUp(new Qwen3Error('ERR_PROCESS_DIED', problem, { version, theirs }, { remedy }))
  }

  #heard(answer: Answer): void {
    if (answer.is === 'hello' || answer.is === 'pong') return
    if (answer.is !== 'progress' || answer.load) this.#note(answer.load)
    if (answer.id === this.#loadId) {
      this.#heardOfLoad(answer)
      return
    }
    const held = this.#running.get(answer.id)
    if (!held) return
    if (answer.is === 'progress') {
      if (!held.isDropped) held.onDone?.(answer.done)
      return
    }
    this.#running.delete(answer.id)
    // Not before it has done something: else none would ever.
    this.#isHeavy = this.#memory > this.#keeping.maxMemory
    if (answer.is === 'result') held.resolve(answer.result)
    else if (answer.is === 'error') held.reject(answer.error)
    this.#pump()
  }

  #heardOfLoad(answer: Answer): void {
    if (answer.is === 'progress') {
      for (const listener of this.#opening?.listeners ?? []) listener(answer.done)
    } else if (answer.is === 'error') {
      this.#giveUp(errorOf(answer.error))
    } else if (answer.is === 'loaded') {
      if (this.#facts && this.#facts.fingerprint !== answer.facts.fingerprint) {
        this.#giveUp(changedError(this.#options.path))
        return
      }
      this.#facts ??= answer.facts
      this.#isReady = true
      this.#deaths.survived()
      this.#opening?.resolve(this.#facts)
      this.#opening = undefined
      this.#pump()
    }
  }

  #note(load: Load | undefined): void {
    if (!load) return
    this.#stats = load.stats ?? noStats
    this.#memory = load.memory
  }

  /** Sends what may run. What was there when a child died runs one at a time: so the one that does it shows itself. */
  #pump(): void {
    if (this.#isReady && this.#isHeavy && this.#running.size === 0) this.#replace()
    if (this.#isReady && !this.#isHeavy) {
      let isSuspected = [...this.#running.values()].some(({ deaths }) => deaths > 0)
      const left: Held[] = []
      for (const held of this.#waiting) {
        if (held.deaths > 0 && isSuspected) {
          left.push(held)
          continue
        }
        isSuspected ||= held.deaths > 0
        this.#running.set(held.request.id, held)
        this.#link!.send(held.request)
      }
      this.#waiting = left
    }
    this.#hold()
  }

  /** Between two calls: another child takes over when this one has given its memory back. */
  #replace(): void {
    const link = this.#link!
    this.#isReady = false
    this.#isLeaving = true
    this.#opening = openingOf()
    link.send({ op: 'close' })
    setTimeout(() => link.kill(), closeMs).unref()
  }

  #gone(): void {
    this.#pulse.watch(false)
    this.#link = undefined
    this.#isGreeted = false
    this.#isReady = false
    this.#memory = 0
    this.#before = added(this.#before, this.#stats)
    this.#stats = noStats
  }

  /** Not waited for: a process that hangs in a driver may take its time even to be killed. */
  #hung(hungSeconds: number): void {
    const link = this.#link!
    link.kill()
    link.hold(false)
    this.#died({ exitCode: null, signal: 'SIGKILL', hungSeconds })
  }

  #died(exit: Exit | Error): void {
    const stderr = this.#link?.stderr ?? ''
    this.#gone()
    this.#opening ??= openingOf()
    if (this.#isEnding) {
      this.#ended?.()
      this.#giveUp(closedError())
      return
    }
    if (this.#isLeaving) {
      this.#spawn()
      return
    }
    const death = this.#deaths.record(exit, stderr)
    const again: Held[] = []
    for (const held of this.#running.values()) {
      if (held.isDropped) continue
      held.deaths++
      if (this.#keeping.retry && held.deaths < 2) again.push(held)
      else held.reject(held.deaths > 1 ? death.ofSuspect() : death.error)
    }
    this.#running.clear()
    this.#waiting = [...again, ...this.#waiting]
    const refusal = this.#deaths.refusal()
    // What cannot be started at all, or never loads, will not the next time either.
    const isHopeless = exit instanceof Error || (!this.#facts && this.#deaths.futile > 1)
    if (refusal || isHopeless) {
      this.#giveUp(refusal ?? death.error)
      return
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#restarts++
      this.#spawn()
    }, this.#deaths.wait)
    this.#hold()
  }

  /** Rejects all that waits. The next call tries again. */
  #giveUp(error: Error): void {
    const link = this.#link
    if (link) {
      this.#gone()
      link.hold(false)
      link.kill()
      this.#ended?.()
    }
    this.#opening?.reject(error)
    this.#opening = undefined
    for (const held of [...this.#running.values(), ...this.#waiting]) held.reject(error)
    this.#running.clear()
    this.#waiting = []
  }

  /** Only what somebody waits for keeps this process running. */
  #hold(): void {
    const isAwaited =
      this.#waiting.length > 0 ||
      [...this.#running.values()].some(({ isDropped }) => !isDropped) ||
      (this.#opening?.listeners.size ?? 0) > 0
    this.#link?.hold(isAwaited || this.#ended !== undefined)
    // One that is starting, or ending, has bounds of its own.
    this.#pulse.watch(isAwaited && this.#isGreeted && !this.#isLeaving && !this.#isEnding)
    if (isAwaited) this.#timer?.ref()
    else this.#timer?.unref()
  }
}

function openingOf(): Opening {
  let settle!: Pick<Opening, 'resolve' | 'reject'>
  const promise = new Promise<NativeModelFacts>((resolve, reject) => {
    settle = { resolve, reject }
  })
  // Whoever waits for it has promises of their own.
  promise.catch(() => {})
  return { promise, ...settle, listeners: new Set() }
}

function changedError(path: string): Qwen3Error {
  const problem = `${path} is another model than it was when it was loaded`
  return new Qwen3Error('ERR_MODEL_CHANGED', problem, { path }, { remedy: 'Load it anew.' })
}

function closedError(): Qwen3Error {
  return new Qwen3Error('ERR_CLOSED', 'This model is closed', {}, { remedy: 'Load it again.' })
}
