import { baselines, type EvaluateOptions } from '../../eval/index.ts'
import type { Arguments } from '../arguments.ts'
import { remark, type Session } from '../command.ts'
import { adaptersOf, findModel, readLoadOptions } from '../load.ts'
import { Misuse } from '../misuse.ts'

const encodings = ['float32', 'int8', 'binary'] as const
export const kinds = [
  'retrieval',
  'instructions',
  'sts',
  'pairs',
  'bitext',
  'reranking',
  'classification',
  'clustering',
  'summarisation',
] as const

export type RunOptions = Omit<EvaluateOptions, 'dataset'>

export async function readOptions(args: Arguments, session: Session): Promise<RunOptions> {
  const texts = ['instruction', 'task', 'split', 'kind', 'protocol', 'algorithm'] as const
  const given = Object.fromEntries(
    texts.map((name) => [name, args.text(name)]).filter(([, value]) => value !== undefined),
  )
  const adapter = adaptersOf(args)
  const top = args.integer('top', 1)
  const maxChars = args.integer('max-chars', 1)
  const reranker = args.text('reranker')
  const cacheDir = args.text('cache-dir')
  return {
    ...(given as Partial<RunOptions>),
    ...listed(args, 'dimensions', (word) => whole(word)),
    ...listed(args, 'encoding', (word) => encoding(word)),
    ...listed(args, 'metrics', (word) => word),
    ...(top === undefined ? {} : { top }),
    ...(maxChars === undefined ? {} : { maxChars }),
    ...(args.has('ignore-identical') ? { ignoreIdentical: true } : {}),
    ...(cacheDir === undefined ? {} : { cacheDir }),
    model: await found(args.text('model'), session),
    ...(reranker === undefined ? {} : { reranker: await found(reranker, session) }),
    ...(adapter.length > 0 ? { adapter } : {}),
    load: readLoadOptions(args),
    signal: session.signal,
  }
}

/** The name that the report shows, with its file on this machine. A baseline keeps its name, which its prompts hang on. */
async function found(name: string | undefined, session: Session): Promise<string> {
  const baseline = baselines.find((one) => one.name === name?.toLowerCase())
  if (baseline) remark(session, `${baseline.name}: ${baseline.note}`)
  const { bundled, name: resolved, paths } = await findModel(baseline?.source ?? name, session)
  if (baseline) return baseline.name
  if (bundled) return 'mini'
  return name?.endsWith('.gguf') ? paths[0]! : resolved
}

function listed<K extends string, T>(
  args: Arguments,
  name: K,
  read: (word: string) => T,
): { [key in K]?: T[] } {
  const text = args.text(name)
  return (
    text === undefined ? {} : { [name]: text.split(',').map((word) => read(word.trim())) }
  ) as { [key in K]?: T[] }
}

function whole(word: string): number {
  if (/^\d+$/.test(word)) return Number(word)
  throw new Misuse(
    `--dimensions takes whole numbers with commas between them, not ${JSON.stringify(word)}`,
  )
}

function encoding(word: string) {
  const known = encodings.find((one) => one === word)
  if (known) return known
  throw new Misuse(`--encoding takes ${encodings.join(', ')}, not ${JSON.stringify(word)}`)
}
