// Options that say which model and who computes, and loading by them.
import {
  type AdapterOptions,
  Embedder,
  type LoadOptions,
  Reranker,
  type ResolvedModel,
  resolveModel,
} from '../index.ts'
import type { Arguments, Options } from './arguments.ts'
import { remark, type Session } from './command.ts'
import { defaultOf } from './defaults.ts'
import { Misuse } from './misuse.ts'
import { Progress } from './progress.ts'

const gpus = ['cuda', 'vulkan', 'metal'] as const
const weights = ['file', 'bf16', 'f16'] as const
const engines = ['auto', 'packed', 'generic'] as const

export const loadOptions: Options = {
  model: {
    value: 'NAME',
    short: 'm',
    help: 'a short name (`qwen3-embed list --all`), owner/repository, path or https address; default: QWEN3_EMBED_MODEL',
  },
  adapter: {
    value: 'FILE[@SCALE],…',
    help: 'adapters (LoRA) for the model, as GGUF files; a scale of 0.5 takes half of one',
  },
  threads: { value: 'N', help: 'threads of a pass; default: the physical cores' },
  gpu: { value: 'BACKEND', choices: gpus, help: 'compute there: cuda, vulkan or metal' },
  'gpu-weights': {
    value: 'TYPE',
    choices: weights,
    help: 'what the GPU multiplies with: file, bf16 or f16; default: file',
  },
  'max-tokens': { value: 'N', help: 'longest text; default: what the model was trained for' },
  engine: { value: 'NAME', choices: engines, help: 'auto, packed or generic; default: auto' },
}

const isolations = ['process', 'none'] as const

/** Of commands that stay. */
export const isolationOption: Options[string] = {
  value: 'WHERE',
  choices: isolations,
  help: 'compute in a process of its own, which is started again if it fails, or in none. Default: process',
}

export function isolationOf(args: Arguments): LoadOptions['isolation'] {
  return args.text('isolation') === 'none' ? false : 'process'
}

/**
 * A model by its name, or by what stands for none (`defaults.ts`). The bundled model, which no one asked for by name, is
 * announced whatever happens.
 */
export async function findModel(
  given: string | undefined,
  session: Session,
): Promise<ResolvedModel> {
  const standing = given === undefined ? defaultOf('model') : undefined
  const name = given ?? standing?.name
  const progress = new Progress('download', session)
  const found = await resolveModel(name ?? 'mini', {
    signal: session.signal,
    onProgress: progress.follow,
  })
  progress.end()
  if (found.bundled) {
    const line = 'model: mini (bundled demonstration model, not a Qwen model)'
    remark(name === undefined ? { ...session, quiet: false } : session, line)
  } else {
    remark(session, `model: ${found.name}${standing ? ` (from ${standing.from})` : ''}`)
  }
  if (found.note) remark(session, `note: ${found.note}`)
  return found
}

export async function loadEmbedder(
  args: Arguments,
  session: Session,
  name = args.text('model'),
  more: LoadOptions = {},
) {
  return load(Embedder, await findModel(name, session), args, session, more)
}

/** The second model of a command: `--adapter` is for the first. */
export async function loadReranker(
  args: Arguments,
  session: Session,
  name = args.text('model'),
  more: LoadOptions = {},
) {
  return load(Reranker, await findModel(name, session), args, session, { ...more, adapter: [] })
}

/** What --adapter was given. */
export function adaptersOf(args: Arguments): AdapterOptions[] {
  const words = args.text('adapter')?.split(',') ?? []
  return words.map((word) => {
    const [, path, scale] = /^(.+)@(-?[\d.]+)$/.exec(word.trim()) ?? [undefined, word.trim(), '1']
    if (path === '' || Number.isNaN(Number(scale)))
      throw new Misuse(
        `--adapter takes files, each with @SCALE if need be, not ${JSON.stringify(word)}`,
      )
    return { path: path!, scale: Number(scale) }
  })
}

/** What {@link loadOptions} were given, for the API; {@link adaptersOf} tells of adapters. */
export function readLoadOptions(args: Arguments): LoadOptions {
  const threads = args.integer('threads', 1, 512)
  const maxTokens = args.integer('max-tokens', 8)
  const gpu = gpus.find((choice) => choice === args.text('gpu'))
  const gpuWeights = weights.find((choice) => choice === args.text('gpu-weights'))
  const engine = engines.find((choice) => choice === args.text('engine'))
  return {
    ...(threads === undefined ? {} : { threads }),
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(gpu === undefined ? {} : { gpu }),
    ...(gpuWeights === undefined ? {} : { gpuWeights }),
    ...(engine === undefined ? {} : { engine }),
  }
}

export async function load<Model extends Embedder | Reranker>(
  kind: { load(name: string, options: LoadOptions): Promise<Model> },
  found: ResolvedModel,
  args: Arguments,
  session: Session,
  more: LoadOptions = {},
): Promise<Model> {
  const progress = new Progress('loading', session)
  try {
    const model = await kind.load(found.bundled ? 'mini' : found.paths[0]!, {
      ...readLoadOptions(args),
      adapter: adaptersOf(args),
      ...more,
      signal: session.signal,
      onProgress: progress.follow,
    })
    progress.end()
    for (const { what, remedy, isWarning } of model.info.findings) {
      // Said already, as a warning of the process.
      if (!isWarning) remark(session, `note: ${what}: ${remedy}`)
    }
    return model
  } finally {
    progress.end()
  }
}
