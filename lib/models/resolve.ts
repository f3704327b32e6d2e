import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from '../root.ts'
import { unpacked } from '../asar.ts'
import { Qwen3Error } from '../errors.ts'
import { bundled } from './catalog.ts'
import { guarded } from './cache-errors.ts'
import { readName } from './name.ts'
import { type PlaceOptions, readPlaces } from './places.ts'
import { choose, modelsAmong, notAmong, partsOf } from './quant.ts'
import { type FetchOptions, fromAddress, fromHub } from './remote.ts'

export interface ResolveOptions extends PlaceOptions, FetchOptions {}

export interface ResolvedModel {
  /** The name in full: quantization or file included, so that it always means the same. */
  readonly name: string
  /** The GGUF, or all parts of a split one in order. */
  readonly paths: string[]
  /** It came with the package. */
  readonly bundled: boolean
  /** A sentence worth showing about where it comes from. */
  readonly note?: string | undefined
}

/**
 * Turns a name into files on this disk, fetching them if they are not there. Cached files are used
 * without asking the hub, so a model that was loaded once needs no network.
 */
export async function resolveModel(
  name: string,
  options: ResolveOptions = {},
): Promise<ResolvedModel> {
  return resolveNamed(name, options, 'cached is fine')
}

/**
 * Like resolveModel, but asks the hub whether a branch has moved on. With `verify`, cached files are
 * hashed again and fetched anew when their bytes are damaged. What an address gave is kept as it is.
 */
export async function pullModel(
  name: string,
  options: ResolveOptions & { verify?: boolean | undefined } = {},
): Promise<ResolvedModel> {
  return resolveNamed(name, options, options.verify ? 'hash and ask the hub' : 'ask the hub')
}

async function resolveNamed(
  name: string,
  options: ResolveOptions,
  freshness: Parameters<typeof fromHub>[3],
): Promise<ResolvedModel> {
  const meant = readName(name)
  options.signal?.throwIfAborted()
  if (meant.kind === 'bundled') return bundledModel()
  if (meant.kind === 'path') return localModel(name, meant.path)
  const places = await readPlaces(options)
  return guarded(places.hub, options.signal, () =>
    meant.kind === 'url'
      ? fromAddress(meant, places, options)
      : fromHub(meant, places, options, freshness),
  )
}

/** The model that travels with the package. */
export async function bundledModel(): Promise<ResolvedModel> {
  const path = unpacked(join(root, ...bundled.path))
  if (await isFile(path)) return { name: bundled.name, paths: [path], bundled: true }
  throw new Qwen3Error(
    'ERR_MODEL_NOT_FOUND',
    `The bundled model is missing at ${path}`,
    { path },
    {
      remedy:
        'Reinstall the package; if this code was bundled, keep the package outside the bundle.',
    },
  )
}

async function localModel(name: string, path: string): Promise<ResolvedModel> {
  const facts = await stat(path).catch(() => undefined)
  if (facts?.isDirectory()) {
    const entries = await readdir(path).catch(() => [])
    const models = modelsAmong(entries.map((entry) => ({ path: entry })))
    const model = choose(models, {}, path, 'lone model will do')
    if (model === undefined) throw notAmong(models, {}, path, 'a folder')
    const paths = model.files.map((file) => join(path, file.path))
    return { name: paths[0]!, paths, bundled: false }
  }
  const paths = partsOf(path)
  for (const part of paths) {
    if (await isFile(part)) continue
    const hint = /^[\w.-]+\/[\w.-]+\/.+\.gguf$/i.test(name)
      ? `For a file of a Hugging Face repository write hf:${name}`
      : 'Check the path, which is taken from the folder the process runs in.'
    throw new Qwen3Error(
      'ERR_MODEL_NOT_FOUND',
      `There is no file ${part} that can be read`,
      { path: part },
      { remedy: hint },
    )
  }
  return { name: path, paths, bundled: false }
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false
}
