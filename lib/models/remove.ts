// Taking a model out of the cache: its links, and the bytes behind them that no other snapshot needs.
import { readdir, realpath, rm, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Qwen3Error } from '../errors.ts'
import { guarded } from './cache-errors.ts'
import { type ListedModel, listModels } from './list.ts'
import { type PlaceOptions, readPlaces } from './places.ts'

export interface RemovedModel {
  readonly name: string
  readonly paths: readonly string[]
  /** Bytes that are free now; none where another snapshot uses the same file. */
  readonly bytes: number
}

/**
 * Deletes a model from the Hugging Face cache, by a name that {@link listModels} gives.
 *
 * @throws Qwen3Error `ERR_MODEL_NOT_FOUND` for what is not there, or is not in the cache.
 */
export async function removeModel(name: string, options: PlaceOptions = {}): Promise<RemovedModel> {
  const { hub } = await readPlaces(options)
  const models = await listModels(options)
  const model = models.find((one) => isNamed(one, name))
  if (model === undefined || model.bundled) throw notThere(name, model, models, hub)
  return guarded(hub, undefined, async () => {
    let bytes = 0
    for (const path of model.paths) bytes += await removeFile(path)
    return { name: model.name, paths: model.paths, bytes }
  })
}

function isNamed({ name, quant }: ListedModel, asked: string): boolean {
  const wanted = asked.toLowerCase()
  const own = name.toLowerCase()
  return own === wanted || (own === `${wanted}:${quant?.toLowerCase()}` && quant === 'Q8_0')
}

async function removeFile(path: string): Promise<number> {
  const blob = await realpath(path)
  const { size } = await stat(blob)
  await unlink(path)
  await removeEmpty(dirname(path))
  if (basename(dirname(blob)) !== 'blobs' || blob === path) return size
  if (await isUsed(blob)) return 0
  await rm(blob, { force: true })
  return size
}

/** Whether a link of another snapshot still leads to a blob. */
async function isUsed(blob: string): Promise<boolean> {
  const snapshots = join(dirname(blob), '..', 'snapshots')
  const entries = await readdir(snapshots, { recursive: true }).catch(() => [])
  for (const entry of entries) {
    if ((await realpath(join(snapshots, entry)).catch(() => '')) === blob) return true
  }
  return false
}

/** Folders of the snapshot that nothing is left in. */
async function removeEmpty(folder: string): Promise<void> {
  if ((await readdir(folder)).length > 0) return
  await rm(folder, { recursive: true })
  if (basename(dirname(folder)) !== 'snapshots') await removeEmpty(dirname(folder))
}

function notThere(
  name: string,
  model: ListedModel | undefined,
  models: readonly ListedModel[],
  hub: string,
): Qwen3Error {
  const problem = model?.bundled
    ? `${name} came with the package and is not in the cache`
    : `${name} is not in the cache ${hub}`
  const names = models.filter((one) => !one.bundled).map((one) => one.name)
  const remedy = names.length > 0 ? `There is ${names.join(', ')}.` : 'Nothing is in it.'
  return new Qwen3Error('ERR_MODEL_NOT_FOUND', problem, { name, folder: hub }, { remedy })
}
