// What Embedder and Reranker share: loading, closing, and refusing work once closed.
import { misuse, Qwen3Error } from './errors.ts'
import { type Family, familyOf, withTemplate } from './families.ts'
import { adapterRemedy, generalType } from './gguf-type.ts'
import { gpuLibrary } from './gpu.ts'
import { type ModelInfo, modelInfo } from './info.ts'
import { abortable, type Control, type Group, type Out, type Outcome, runJob } from './job.ts'
import { resolveModel } from './models/resolve.ts'
import {
  call,
  type NativeJobOptions,
  type NativeModel,
  type NativeModelFacts,
  type NativeStats,
  native,
} from './native.ts'
import { type Role, readLoadOptions, readText } from './options.ts'
import { Meter, reporting } from './progress.ts'

/** Tokenizers whose reference normalises text to NFC first; llama.cpp's do not. */
const nfcTokenizers = /qwen2/

export class LoadedModel {
  readonly info: ModelInfo
  readonly facts: NativeModelFacts
  readonly family: Family
  readonly #model: NativeModel
  #closed = false

  private constructor(
    model: NativeModel,
    facts: NativeModelFacts,
    info: ModelInfo,
    family: Family,
  ) {
    this.#model = model
    this.facts = facts
    this.info = info
    this.family = family
  }

  static async load(kind: 'embed' | 'rank', name: unknown, given: unknown): Promise<LoadedModel> {
    const { signal, onProgress, download, template = {}, ...options } = readLoadOptions(given)
    signal?.throwIfAborted()
    const gpu = options.gpu || ''
    const library = options.gpu ? gpuLibrary(options.gpu) : ''
    const { binding, libraries } = native()
    const wanted = readText(name, 'the model name or path')
    const found = await resolveModel(wanted, { ...download, signal, onProgress })
    const path = found.paths[0]!
    const model = new binding.Model()
    const facts = await reporting(
      onProgress,
      () => model.abort(),
      (told): Promise<NativeModelFacts> => {
        const meter = new Meter({ phase: 'load', unit: 'steps', total: 100, file: path }, told)
        const progress = told && ((fraction: number) => meter.reach(100 * fraction))
        const all = { ...options, path, kind, gpu, gpuLibrary: library }
        const loading = model.load(all, libraries, progress)
        return call(signal ? abortable(loading, signal, () => model.abort()) : loading)
      },
    ).catch(async (error: unknown) => {
      throw (await adapterError(error, path)) ?? error
    })
    const info = modelInfo(found, facts)
    if (kind === 'embed') warnOf(info)
    const family = familyOf(facts.architecture, facts.name, path)
    return new LoadedModel(model, facts, info, withTemplate(family, template))
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
    if (this.#closed) {
      throw new Qwen3Error('ERR_CLOSED', 'This model is closed', {}, { remedy: 'Load it again.' })
    }
    const text = (body: string) => this.#text(shape(body))
    const heads = groups.map(({ head, bodies }) => ({ head: this.#text(head), bodies }))
    return runJob(this.#model, options, heads, text, out, control)
  }

  /** As the reference tokenizer sees it. */
  #text(text: string): string {
    return nfcTokenizers.test(this.facts.tokenizer) ? text.normalize('NFC') : text
  }

  stats(): NativeStats {
    return this.#model.stats()
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#model.close()
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
