import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from '../root.ts'
import { type CachedFile, listSnapshots, type Snapshot } from './cache.ts'
import { bundled, identify } from './catalog.ts'
import { type PlaceOptions, readPlaces } from './places.ts'
import type { Model } from './quant.ts'

/** A model that can be loaded without a network. */
export interface ListedModel {
  /** What resolveModel takes. */
  readonly name: string
  readonly quant: string | undefined
  /** `owner/repository`, where it comes from one. */
  readonly repo: string | undefined
  readonly paths: readonly string[]
  readonly bytes: number
  readonly bundled: boolean
}

/** The bundled model and every complete GGUF model in the Hugging Face cache, whoever put it there. */
export async function listModels(options: PlaceOptions = {}): Promise<ListedModel[]> {
  const places = await readPlaces(options)
  const snapshots = await listSnapshots(places.hub)
  return [
    ...(await own()),
    ...snapshots.flatMap((snapshot) => snapshot.models.map((model) => listed(snapshot, model))),
  ]
}

async function own(): Promise<ListedModel[]> {
  const path = join(root, ...bundled.path)
  const facts = await stat(path).catch(() => undefined)
  if (facts === undefined) return []
  const { name, quant } = bundled
  return [{ name, quant, repo: undefined, paths: [path], bytes: facts.size, bundled: true }]
}

function listed(snapshot: Snapshot, model: Model<CachedFile>): ListedModel {
  const { repo, commit, revisions } = snapshot
  const [first] = model.files
  const known = first?.blob === undefined ? undefined : identify(first.blob)
  const isFromHub = !repo.startsWith('from-url/')
  const revision = revisions.includes('main') ? '' : `@${revisions[0] ?? commit}`
  const name = isFromHub ? `hf:${repo}/${first!.path}${revision}` : first!.place
  return {
    name: known !== undefined && known.revision === commit ? known.name : name,
    quant: model.quant,
    repo: isFromHub ? repo : undefined,
    paths: model.files.map((file) => file.place),
    bytes: model.files.reduce((sum, file) => sum + file.size, 0),
    bundled: false,
  }
}
