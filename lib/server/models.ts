// The models of one server by name: loaded when they are asked for, and unloaded when memory or time says so.
import { type Embedder, type FileInfo, type Ranges, type Reranker, unitRanges } from '../index.ts'
import type { ModelSource, Settings } from './options.ts'
import { RequestError } from './request-error.ts'

interface Named {
  readonly name: string
  /** Texts computed for requests so far. */
  finished: number
  /** Instructions by name; '' is none. */
  readonly prompts: ReadonlyMap<string, string>
}

export interface ServedEmbedder extends Named {
  readonly kind: 'embedding'
  readonly model: Embedder
  ranges(dimensions: number): Ranges
}

export interface ServedReranker extends Named {
  readonly kind: 'reranking'
  readonly model: Reranker
}

/** A model that is loaded. */
export type Served = ServedEmbedder | ServedReranker

/** What is known of a model whether it is loaded or not. */
export interface Listed {
  readonly name: string
  readonly kind: Served['kind']
  readonly info: FileInfo
  readonly maxTokens: number
  readonly dimensions: number | undefined
  readonly isLoaded: boolean
  /** When it will be unloaded, if nobody asks for it: milliseconds of the epoch. */
  readonly expires: number | undefined
  readonly prompts: readonly string[]
}

type Lease = (release: () => void) => void

export class Models {
  readonly #slots: readonly Slot[]
  readonly #memory: number
  /** One load at a time: two that fit alone may not fit together. */
  #loading: Promise<unknown> = Promise.resolve()
  #onIdle: (() => void)[] = []

  constructor(settings: Settings) {
    this.#memory = settings.memory
    this.#slots = Object.entries(settings.models).map(
      ([name, given]) => new Slot(name, given, settings, () => this.#tell()),
    )
  }

  get loaded(): readonly Served[] {
    return this.#slots.flatMap(({ served }) => served ?? [])
  }

  get all(): readonly Listed[] {
    return this.#slots.map((slot) => slot.listed())
  }

  /** A model by its name, or the first one. */
  listed(name?: string): Listed {
    return this.#named(name).listed()
  }

  async embedder(name: string | undefined, lease: Lease): Promise<ServedEmbedder> {
    return (await this.#use('embedding', name, lease)) as ServedEmbedder
  }

  async reranker(name: string | undefined, lease: Lease): Promise<ServedReranker> {
    return (await this.#use('reranking', name, lease)) as ServedReranker
  }

  /** How long a model stays after its last request, from now on: milliseconds, 0 for no longer than it is used. */
  keep(name: string, milliseconds: number): void {
    this.#named(name).keep(milliseconds)
  }

  /** Those that are in memory by their names, or the one of a name; one model with several names comes once. */
  reloadable(name?: string): Served[] {
    const loaded = this.loaded
    const named = name === undefined ? undefined : this.#named(name)
    const those = named ? loaded.filter((one) => one === named.served) : loaded
    return those.filter((one, i) => those.findIndex(({ model }) => model === one.model) === i)
  }

  /** Unloads what was loaded here. */
  async close(): Promise<void> {
    await Promise.all(this.#slots.map((slot) => slot.unload()))
  }

  async #use(kind: Served['kind'], name: string | undefined, lease: Lease): Promise<Served> {
    const slot = this.#find(kind, name)
    lease(slot.take())
    if (slot.served) return slot.served
    const loading = this.#loading.then(async () => {
      if (slot.served) return slot.served
      await this.#makeRoom(slot)
      return slot.load()
    })
    this.#loading = loading.catch(() => {})
    return loading
  }

  /** Unloads those that were used longest ago until a model fits; waits for those that are being used. */
  async #makeRoom(slot: Slot): Promise<void> {
    const others = this.#slots.filter((one) => one !== slot && one.isOurs)
    for (;;) {
      const loaded = others.filter((one) => one.served)
      const bytes = loaded.reduce((sum, one) => sum + one.bytes, 0)
      if (loaded.length === 0 || bytes + slot.bytes <= this.#memory) return
      const idle = loaded.filter((one) => one.users === 0).sort((a, b) => a.usedAt - b.usedAt)
      if (idle[0]) await idle[0].unload()
      else await new Promise<void>((resolve) => this.#onIdle.push(resolve))
    }
  }

  #tell(): void {
    for (const resolve of this.#onIdle.splice(0)) resolve()
  }

  #find(kind: Served['kind'], name: string | undefined): Slot {
    const fitting = this.#slots.filter((one) => one.kind === kind)
    if (name === undefined) {
      if (fitting[0]) return fitting[0]
      throw new RequestError('model_not_found', `This server has no model for ${kind}`, {
        param: 'model',
      })
    }
    const slot = this.#named(name)
    if (slot.kind === kind) return slot
    const names = fitting.map((one) => one.name).join(', ') || 'none'
    throw new RequestError(
      'invalid',
      `The model ${JSON.stringify(name)} is for ${slot.kind}, not for ${kind}. For ${kind} there is: ${names}`,
      { param: 'model' },
    )
  }

  #named(name: string | undefined): Slot {
    if (name === undefined) return this.#slots[0]!
    // Ollama's clients add a tag to names that have none.
    const names = [name, name.replace(/:latest$/, '')]
    const slot = this.#slots.find((one) => names.includes(one.name))
    if (slot) return slot
    const known = this.#slots.map((one) => one.name).join(', ')
    throw new RequestError(
      'model_not_found',
      `The model ${JSON.stringify(name.slice(0, 200))} does not exist here. There is: ${known}`,
      { param: 'model' },
    )
  }
}

/** One name, and the model behind it when it is loaded. */
class Slot {
  readonly name: string
  readonly kind: Served['kind']
  readonly #source: ModelSource | undefined
  readonly #settings: Settings
  readonly #onIdle: () => void
  served: Served | undefined
  users = 0
  usedAt = 0
  #keepAlive: number
  #timer: NodeJS.Timeout | undefined
  #expires: number | undefined

  constructor(
    name: string,
    given: Embedder | Reranker | ModelSource,
    settings: Settings,
    onIdle: () => void,
  ) {
    this.name = name
    this.#settings = settings
    this.#onIdle = onIdle
    this.#keepAlive = settings.keepAlive
    if ('load' in given) {
      this.#source = given
      this.kind = given.kind
    } else {
      this.served = serve(name, given, settings)
      this.kind = this.served.kind
    }
  }

  /** Loaded here, and so to be unloaded here. */
  get isOurs(): boolean {
    return this.#source !== undefined
  }

  get bytes(): number {
    return this.#source?.info.bytes ?? 0
  }

  /** Holds the model until the returned function is called. */
  take(): () => void {
    this.users++
    clearTimeout(this.#timer)
    this.#expires = undefined
    return () => {
      this.users--
      this.usedAt = performance.now()
      if (this.users > 0) return
      this.keep(this.#keepAlive)
      this.#onIdle()
    }
  }

  keep(milliseconds: number): void {
    this.#keepAlive = milliseconds
    clearTimeout(this.#timer)
    this.#expires = undefined
    if (!this.isOurs || this.users > 0 || !this.served || milliseconds >= 2 ** 31) return
    this.#expires = Date.now() + milliseconds
    this.#timer = setTimeout(() => {
      if (this.users === 0) void this.unload()
    }, milliseconds)
    this.#timer.unref()
  }

  async load(): Promise<Served> {
    this.served = serve(this.name, await this.#source!.load(), this.#settings)
    return this.served
  }

  async unload(): Promise<void> {
    clearTimeout(this.#timer)
    this.#expires = undefined
    const { served } = this
    if (!this.isOurs || !served) return
    this.served = undefined
    await served.model.close()
  }

  listed(): Listed {
    const { name, kind, served } = this
    const info = served?.model.info ?? this.#source!.info
    const width = served?.kind === 'embedding' ? served.model.dimensions : info.width
    return {
      name,
      kind,
      info,
      maxTokens: served?.model.maxTokens ?? info.trainedTokens,
      dimensions: kind === 'embedding' ? width : undefined,
      isLoaded: served !== undefined,
      expires: this.#expires,
      prompts: ['query', 'document', ...Object.keys(this.#settings.prompts)],
    }
  }
}

function serve(name: string, model: Embedder | Reranker, settings: Settings): Served {
  const prompts = new Map(Object.entries(settings.prompts))
  // Not by class: another copy of this package may have loaded it.
  if ('scoreEach' in model) return { kind: 'reranking', name, model, prompts, finished: 0 }
  const given = settings.ranges[name]
  const whole = given ?? unitRanges(model.dimensions)
  if (whole.low.length !== model.dimensions || whole.high.length !== model.dimensions) {
    throw new RangeError(
      `Expected the ranges of ${name} to have ${model.dimensions} dimensions but they have ${whole.low.length}`,
    )
  }
  const ranges = (dimensions: number) => {
    if (dimensions === model.dimensions) return whole
    if (!given) return unitRanges(dimensions)
    throw new RequestError(
      'invalid',
      `int8 and uint8 are calibrated for ${model.dimensions} dimensions here, not for ${dimensions}`,
      { param: 'dimensions' },
    )
  }
  return { kind: 'embedding', name, model, prompts, ranges, finished: 0 }
}
