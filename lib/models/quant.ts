import { Qwen3Error } from '../errors.ts'
import { defaultQuant } from './catalog.ts'

/** One model of a folder or repository: a GGUF, or all parts of a split one in order. */
export interface Model<File extends { path: string }> {
  readonly quant: string | undefined
  readonly files: readonly File[]
}

const split = /-(\d{5})-of-(\d{5})(?=\.gguf$)/i
const quantAtEnd =
  /(?:^|[-._])((?:UD-)?(?:I?Q\d(?:_[A-Z0-9]+)*|TQ\d_\d|BF16|FP?16|FP?32|MXFP4(?:_MOE)?))$/i
// Multimodal projectors and importance matrices share the extension but are not models.
const companion = /^mmproj|imatrix/i

/** `q8_0` and `fp16` are written in many ways; one spelling is compared. */
export function canonicalQuant(quant: string): string {
  return quant.toUpperCase().replace(/^FP(16|32)$/, 'F$1')
}

export function quantOf(path: string): string | undefined {
  const stem = baseOf(path)
    .replace(split, '')
    .replace(/\.gguf$/i, '')
  const match = quantAtEnd.exec(stem)
  return match === null ? undefined : canonicalQuant(match[1]!)
}

/** Groups the GGUF files of a listing into models; incomplete splits are left out. */
export function modelsAmong<File extends { path: string }>(files: readonly File[]): Model<File>[] {
  const groups = new Map<string, Map<number, File>>()
  for (const file of files) {
    if (!/\.gguf$/i.test(file.path) || companion.test(baseOf(file.path))) continue
    const match = split.exec(file.path)
    const key = match === null ? file.path : `${file.path.replace(split, '')}\0${Number(match[2])}`
    const group = groups.get(key) ?? new Map<number, File>()
    group.set(match === null ? 1 : Number(match[1]), file)
    groups.set(key, group)
  }
  const models: Model<File>[] = []
  for (const [key, group] of groups) {
    const parts = Number(key.split('\0')[1] ?? 1)
    const inOrder = Array.from({ length: parts }, (_, i) => group.get(i + 1))
    if (inOrder.every((file) => file !== undefined)) {
      models.push({ quant: quantOf(inOrder[0]!.path), files: inOrder as File[] })
    }
  }
  return models
}

/** Every part's path, given the path of any one of them; the path itself when it is not a split. */
export function partsOf(path: string): string[] {
  const match = split.exec(path)
  if (match === null) return [path]
  return Array.from({ length: Number(match[2]) }, (_, i) =>
    path.replace(split, `-${String(i + 1).padStart(5, '0')}-of-${match[2]}`),
  )
}

/** What a name asks of a repository: a file, a quantization, or the default. */
export interface Wish {
  readonly file?: string | undefined
  readonly quant?: string | undefined
}

/** The model a wish means, or undefined where nothing matches. Two matches are an error. */
export function choose<File extends { path: string }>(
  models: readonly Model<File>[],
  wish: Wish,
  where: string,
  lone: 'lone model will do' | 'default only',
): Model<File> | undefined {
  if (wish.file !== undefined) {
    return models.find((model) => model.files.some((file) => file.path === wish.file))
  }
  const wanted = canonicalQuant(wish.quant ?? defaultQuant)
  const matching = models.filter((model) => model.quant === wanted)
  if (matching.length > 1) throw ambiguous(matching, where)
  if (matching.length === 1) return matching[0]
  if (wish.quant === undefined && models.length === 1 && lone === 'lone model will do') {
    return models[0]
  }
  return undefined
}

/** The error for a wish nothing satisfies, naming what there is. */
export function notAmong<File extends { path: string }>(
  models: readonly Model<File>[],
  wish: Wish,
  where: string,
  kind: 'a folder' | 'a repository',
): Qwen3Error {
  const wanted = wish.file ?? wish.quant ?? defaultQuant
  if (models.length === 0) {
    return new Qwen3Error(
      'ERR_MODEL_NOT_FOUND',
      `${where} holds no GGUF model`,
      { where },
      { remedy: 'Look for one whose name ends in -GGUF.' },
    )
  }
  const quants = [...new Set(models.flatMap((model) => model.quant ?? []))]
  const choices =
    kind === 'a repository' && wish.file === undefined && quants.length > 0
      ? `Append one of :${quants.join(' :')} to the name`
      : `Name one of its files: ${models.map((model) => model.files[0]!.path).join(', ')}`
  return new Qwen3Error(
    'ERR_MODEL_NOT_FOUND',
    `${where} holds no ${wanted}`,
    { where, wanted, available: quants.join(' ') },
    { remedy: choices },
  )
}

function ambiguous<File extends { path: string }>(
  models: readonly Model<File>[],
  where: string,
): Qwen3Error {
  const paths = models.map((model) => model.files[0]!.path)
  return new Qwen3Error(
    'ERR_MODEL_NAME',
    `${where} holds ${models.length} models of ${models[0]!.quant}`,
    { where, quant: models[0]!.quant ?? '', models: models.length },
    { remedy: `Name the file itself: ${paths.join(', ')}` },
  )
}

function baseOf(path: string): string {
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1)
}
