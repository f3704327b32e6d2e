// What Embedder and Reranker share: loading, closing, and refusing work once closed.
import { statSync } from 'node:fs'
import { type Engine, type EngineStats, LocalEngine } from './engine.ts'
import { misuse, Qwen3Error } from './errors.ts'
import { type Family, familyOf, type Template, withTemplate } from './families.ts'
import { adapterRemedy, generalType } from './gguf-type.ts'
import { gpuLibrary } from './gpu.ts'
import { type ModelInfo, modelInfo } from './info.ts'
import type { Control, Group, Out, Outcome } from './job.ts'
import { type ResolvedModel, resolveModel } from './models/resolve.ts'
import {
  type NativeJobOptions,
  type NativeLoadOptions,
  type NativeModelFacts,
  call,
  native,
} from './native.ts'
import {
  type Role,
  readIsolation,
  readLoadOptions,
  readReloadOptions,
  readText,
} from './options.ts'
import { ProcessEngine } from './process/engine.ts'
import { checkIsolation, isIsolatedAlready } from './process/spawn.ts'
import type { Keeping } from './process/supervisor.ts'
import { type Open, Residence } from './residence.ts'

/** Tokenizers whose reference normalises text to NFC first; llama.cpp's do not. */
const nfcTokenizers = /qwen2/

type OpenFile = ReturnType<typeof opener>

/** What an engine is opened with, but for the file. */
type EngineOptions = Omit<NativeLoadOptions, 'path'>

export class LoadedModel {
  readonly #kind: 'embed' | 'rank'
  readonly #residence: Residence
  readonly #openFile: OpenFile
  readonly #template: Template
  #state: Opened

  private constructor(
    kind: 'embed' | 'rank',
    residence: Residence,
    openFile: OpenFile,
    template: Template,
    state: Opened,
  ) {
    this.#kind = kind
    this.#residence = residence
    this.#openFile = openFile
    this.#template = template
    this.#state = state
  }

  static async load(kind: 'embed' | 'rank', name: unknown, given: unknown): Promise<LoadedModel> {
    const read = readLoadOptions(given)
    const {
      signal,
      onProgress,
      download,
      template = {},
      pool,
      idleMs,
      isolation,
      ...options
    } = read
    signal?.throwIfAborted()
    const gpu = options.gpu || ''
    const library = options.gpu ? gpuLibrary(options.gpu) : ''
    const keeping = isIsolatedAlready ? undefined : readIsolation(isolation)
    if (keeping) checkIsolation(keeping.execPath)
    // Before a download: without the addon there is no use in one.
    else native()
    const wanted = readText(name, 'the model name or path')
    const found = await resolveModel(wanted, { ...download, signal, onProgress })
    const path = found.paths[0]!
    const all: EngineOptions = { ...options, kind, gpu, gpuLibrary: library }
    const openFile = opener(all, keeping)
    const bytes = pool ? await memoryOf(found.paths, options.gpuWeights) : 0
    let state: Opened | undefined
    const open = openFile(path, () => state?.facts.fingerprint)
    const residence = await Residence.load(
      open,
      { path, bytes, idleMs, budget: pool },
      { signal, onProgress },
    ).catch(async (error: unknown) => {
      throw (await adapterError(error, path)) ?? error
    })
    state = openedOf(kind, found, residence.engine!.facts, keeping !== undefined, template)
    return new LoadedModel(kind, residence, openFile, template, state)
  }

  get info(): ModelInfo {
    return this.#state.info
  }

  get facts(): NativeModelFacts {
    return this.#state.facts
  }

  get family(): Family {
    return this.#state.family
  }

  get isLoaded(): boolean {
    return this.#residence.engine !== undefined
  }

  /** What stands before each text. */
  prefix(role: Role | undefined, instruction: string | undefined): string {
    const { family } = this
    if (instruction === undefined) return role === undefined ? '' : family[role]
    if (instruction.trim() === '') return ''
    if (family.instructed) return family.instructed(instruction)
    throw misuse(
      TypeError,
      `none, since ${family.name || `a model of architecture ${this.facts.architecture}`} takes no instruction (the ` +
        "load option template says what stands before its texts, as in { query: 'query: {text}' }),",
      'the option instruction',
      instruction,
    )
  }

  async run(
    options: NativeJobOptions,
    groups: readonly Group[],
    shape: (text: string) => string,
    out: Out,
    control: Control,
  ): Promise<Outcome> {
    const text = (body: string) => this.#text(shape(body))
    const heads = groups.map(({ head, bodies }) => ({ head: this.#text(head), bodies }))
    return this.#residence.use(
      (engine) => engine.run(options, heads, text, out, control),
      control.signal,
    )
  }

  /** As the reference tokenizer sees it. */
  #text(text: string): string {
    return nfcTokenizers.test(this.facts.tokenizer) ? text.normalize('NFC') : text
  }

  stats(): EngineStats {
    return this.#residence.stats()!
  }

  /** Passes as the first calls will want them: pages are touched, kernels of devices compiled. */
  async warm(signal: AbortSignal | undefined): Promise<void> {
    const { maxTokens, budget } = this.facts
    signal?.throwIfAborted()
    const words = Math.max(1, Math.min(budget, maxTokens) - 8)
    const job = warmJob[this.#kind]
    const width = this.#kind === 'embed' ? this.facts.rowWidth : 0
    for (const text of ['a', 'a '.repeat(words)]) {
      const groups = [{ head: '', bodies: [text] }]
      const out =
        this.#kind === 'embed'
          ? { vectors: new Float32Array(width) }
          : { scores: new Float64Array(1) }
      await this.run({ ...job, dimensions: width }, groups, (body) => body, out, { signal })
    }
  }

  /** The same file, or another one, read beside the one in memory; then it takes its place. */
  async reload(name: unknown, given: unknown): Promise<void> {
    const { signal, onProgress, download } = readReloadOptions(given)
    signal?.throwIfAborted()
    const before = this.#state
    const wanted = name === undefined ? before.name : readText(name, 'the model name or path')
    const found = await resolveModel(wanted, { ...download, signal, onProgress })
    const path = found.paths[0]!
    let state: Opened | undefined
    const open = this.#openFile(path, () => state?.facts.fingerprint)
    await this.#residence.exchange(
      open,
      {
        check: ({ facts }) => {
          state = openedOf(this.#kind, found, facts, before.info.isolated, this.#template)
          refuseOther(before, state)
        },
        onExchange: () => {
          this.#state = state!
        },
      },
      { signal, onProgress },
    )
  }

  unload(): Promise<void> {
    return this.#residence.unload()
  }

  close(): Promise<void> {
    return this.#residence.close()
  }
}

/** What is known of an open model. */
interface Opened {
  readonly name: string
  readonly info: ModelInfo
  readonly facts: NativeModelFacts
  readonly family: Family
}

function openedOf(
  kind: 'embed' | 'rank',
  found: ResolvedModel,
  facts: NativeModelFacts,
  isolated: boolean,
  template: Template,
): Opened {
  const path = found.paths[0]!
  const info = modelInfo(found, facts, isolated)
  if (kind === 'embed') warnOf(info)
  const family = withTemplate(familyOf(facts.architecture, facts.name, path), template)
  return { name: found.bundled ? 'mini' : path, info, facts, family }
}

/** Vectors of both are stored side by side, and callers hold what they know of the first: its width, its prompts. */
function refuseOther(before: Opened, after: Opened): void {
  const what = [
    ['dimensions', before.facts.rowWidth, after.facts.rowWidth],
    ['family', before.family.name, after.family.name],
    ['pooling', before.facts.pooling ?? 'none', after.facts.pooling ?? 'none'],
  ] as const
  for (const [name, expected, found] of what) {
    if (expected === found) continue
    throw new Qwen3Error(
      'ERR_MODEL_MISMATCH',
      `Expected a model of the same ${name} (${expected}) but ${after.info.path} has ${found}`,
      { path: after.info.path, expected, found },
      { remedy: 'Load it as a model of its own.' },
    )
  }
}

/** Opens files with the options of one load. A file that is not what it was is refused. */
function opener(options: EngineOptions, keeping: Keeping | undefined) {
  return (path: string, fingerprint: () => string | undefined): Open =>
    async (control) => {
      const all = { ...options, path }
      const engine: Engine = keeping
        ? await ProcessEngine.open(all, keeping, control)
        : await LocalEngine.open(all, control)
      const expected = fingerprint()
      if (expected === undefined || expected === engine.facts.fingerprint) return engine
      await engine.close()
      throw new Qwen3Error(
        'ERR_MODEL_CHANGED',
        `${path} is another model than it was when it was loaded`,
        { path, expected, found: engine.facts.fingerprint },
        { remedy: 'Take it with reload(), or load it anew.' },
      )
    }
}

/** Bytes of a model's weights: those of its files, or of 16 bits for each parameter where these are more. */
async function memoryOf(paths: readonly string[], weights: string): Promise<number> {
  const inFiles = paths.reduce((sum, path) => sum + statSync(path).size, 0)
  if (weights === 'file') return inFiles
  const { parameters } = await call(native().binding.inspect(paths[0]!))
  return Math.max(inFiles, 2 * parameters)
}

const warmJob = {
  embed: jobOf('embed', 'last'),
  rank: jobOf('rank', 'rank'),
}

function jobOf(task: 'embed' | 'rank', pooling: string): NativeJobOptions {
  return {
    task,
    onlyTokens: false,
    onlyText: false,
    pooling,
    interactive: true,
    areQueries: false,
    truncate: true,
    failFast: true,
    normalize: false,
    probability: false,
    dimensions: 0,
    prefix: '',
    suffix: '',
  }
}

/** A LoRA adapter lacks what a model has, so that it is refused as a damaged one. It is none. */
async function adapterError(error: unknown, path: string): Promise<Qwen3Error | undefined> {
  if (!(error instanceof Qwen3Error) || !/INVALID|UNSUPPORTED|MISMATCH/.test(error.code))
    return undefined
  if ((await generalType(path)) !== 'adapter') return undefined
  return new Qwen3Error(
    'ERR_MODEL_UNSUPPORTED',
    `Expected a model but ${path} is an adapter (LoRA), which changes one and is none itself`,
    { path, type: 'adapter' },
    { remedy: adapterRemedy, cause: error },
  )
}

/** A pooling that its family does not use gives vectors that look well and find little: said aloud, once a load. */
function warnOf({ findings, path }: ModelInfo): void {
  for (const { what, remedy, isWarning } of findings) {
    if (!isWarning) continue
    process.emitWarning(`${path}: ${what}: ${remedy}`, {
      type: 'Qwen3Warning',
      code: 'QWEN3_POOLING',
    })
  }
}

/** What `console.log` shows of a model. */
export function inspectModel(
  kind: string,
  { info, facts }: LoadedModel,
  more: Record<string, unknown> = {},
): object {
  const { path, bundled, architecture, quantization, engine, device, fingerprint } = info
  const shown = { path, bundled, architecture, quantization, ...more, maxTokens: facts.maxTokens }
  return new (nameless(kind))({ ...shown, engine, device, fingerprint })
}

// util.inspect prints the name of a value's class before its members.
function nameless(kind: string): new (members: object) => object {
  const named = {
    [kind]: class {
      constructor(members: object) {
        Object.assign(this, members)
      }
    },
  }
  return named[kind]!
}
