import { Qwen3Error } from '../errors.ts'
import { type CachedFile, findModel, findSnapshot, writeRef } from './cache.ts'
import { noteOn, refuseWithoutGguf, sourceOf } from './catalog.ts'
import type { Access } from './http.ts'
import { fileUrl, listRepository, type RemoteFile } from './hub.ts'
import type { ModelName } from './name.ts'
import { readTransfer, type Transfer } from './retry.ts'
import type { Places } from './places.ts'
import type { OnProgress } from '../progress.ts'
import { choose, type Model, modelsAmong, notAmong, partsOf, type Wish } from './quant.ts'
import type { ResolvedModel } from './resolve.ts'
import { addressKey, checkRoom, type CacheEntry, store } from './store.ts'
import { dropDamaged } from './verify.ts'

export interface FetchOptions {
  signal?: AbortSignal | undefined
  /** Called about ten times a second while a file is fetched, here or by another process. */
  onProgress?: OnProgress | undefined
  /** For slow or unreliable networks. */
  transfer?: { [Key in keyof Transfer]?: Transfer[Key] | undefined } | undefined
}

/** A model of a hub: where it is and which of its files are meant. */
interface Order {
  readonly name: string
  readonly repo: string
  readonly revision: string
  readonly wish: Wish
  /** Set where the catalogue knows the very bytes. */
  readonly known: RemoteFile | undefined
}

export async function fromHub(
  meant: Extract<ModelName, { kind: 'alias' | 'hub' }>,
  places: Places,
  options: FetchOptions,
  freshness: 'cached is fine' | 'ask the hub' | 'hash and ask the hub',
): Promise<ResolvedModel> {
  const order = orderOf(meant)
  const { repo, revision, wish } = order
  if (freshness === 'hash and ask the hub') {
    const present = await findModel(places.hub, repo, revision, wish, 'lone model will do')
    await dropDamaged(present?.files ?? [], options)
  }
  const cached = await findModel(places.hub, repo, revision, wish, 'default only')
  const isUsable = cached !== undefined && isAsKnown(cached, order.known)
  const isFixed = /^[0-9a-f]{40}$/.test(revision)
  if (isUsable && (places.offline || isFixed || freshness === 'cached is fine')) {
    return resolved(order, cached.files)
  }
  // The hub decides what a name without a quantization means. Out of its reach, the only model there is will do.
  const lone = await findModel(places.hub, repo, revision, wish, 'lone model will do')
  const fallback = lone !== undefined && isAsKnown(lone, order.known) ? lone : undefined
  if (places.offline) {
    if (fallback === undefined) throw await notCached(order, places)
    return resolved(order, fallback.files)
  }
  const access = accessOf(places, options)
  let plan: { commit: string; files: readonly RemoteFile[] }
  try {
    plan = await planOf(order, access)
  } catch (error) {
    const isUnreachable = error instanceof Qwen3Error && error.code === 'ERR_DOWNLOAD'
    if (!isUnreachable || fallback === undefined || freshness !== 'cached is fine') throw error
    return resolved(order, fallback.files)
  }
  const { commit, files } = plan
  const paths = await fetchAll(
    files.map((file) => ({
      hub: places.hub,
      repo,
      commit,
      path: file.path,
      wanted: { ...file, name: file.path, url: fileUrl(places.endpoint, repo, commit, file.path) },
    })),
    access,
    options.onProgress,
  )
  await writeRef(places.hub, repo, revision, commit)
  return resolved(
    order,
    files.map(({ path }, index) => ({ path, place: paths[index]! })),
  )
}

/** A GGUF anywhere on the web. It is kept by its address, and fetched once. */
export async function fromAddress(
  meant: Extract<ModelName, { kind: 'url' }>,
  places: Places,
  options: FetchOptions,
): Promise<ResolvedModel> {
  const url = new URL(meant.url)
  const paths = partsOf(decodeURIComponent(url.pathname.split('/').at(-1)!))
  const key = addressKey(meant.url)
  const order: Order = {
    name: meant.url,
    repo: `from-url/${url.hostname.replace(/[^\w.-]/g, '')}-${key.slice(0, 10)}`,
    revision: 'main',
    wish: { file: paths[0]! },
    known: undefined,
  }
  const cached = await findModel(places.hub, order.repo, 'main', order.wish, 'default only')
  if (cached && (meant.sha256 === undefined || cached.files[0]!.blob === meant.sha256)) {
    return resolved(order, cached.files)
  }
  if (places.offline) throw await notCached(order, places)
  const entries = paths.map((path, index) => ({
    hub: places.hub,
    repo: order.repo,
    commit: key,
    path,
    wanted: {
      name: path,
      url: index === 0 ? meant.url : new URL(encodeURIComponent(path), url).href,
      digest:
        index === 0 && meant.sha256 !== undefined
          ? ({ kind: 'sha256', hex: meant.sha256 } as const)
          : undefined,
    },
  }))
  const fetched = await fetchAll(entries, accessOf(places, options), options.onProgress)
  await writeRef(places.hub, order.repo, 'main', key)
  return resolved(
    order,
    paths.map((path, index) => ({ path, place: fetched[index]! })),
  )
}

function orderOf(meant: Extract<ModelName, { kind: 'alias' | 'hub' }>): Order {
  if (meant.kind === 'hub') {
    const { repo, revision, file, quant } = meant
    refuseWithoutGguf(repo)
    return { name: '', repo, revision, wish: { file, quant }, known: undefined }
  }
  const { alias, quant } = meant
  const { repo, revision, files } = sourceOf(alias, quant)
  const file = files[quant]
  if (file === undefined) {
    return { name: `${alias}:${quant}`, repo, revision, wish: { quant }, known: undefined }
  }
  const { path, size, sha256 } = file
  const known: RemoteFile = { path, size, digest: { kind: 'sha256', hex: sha256 } }
  return { name: `${alias}:${quant}`, repo, revision, wish: { file: path }, known }
}

async function planOf(
  order: Order,
  access: Access,
): Promise<{ commit: string; files: readonly RemoteFile[] }> {
  if (order.known !== undefined) return { commit: order.revision, files: [order.known] }
  const { commit, files } = await listRepository(order.repo, order.revision, access)
  const models = modelsAmong(files)
  const model = choose(models, order.wish, order.repo, 'lone model will do')
  if (model === undefined) throw notAmong(models, order.wish, order.repo, 'a repository')
  return { commit, files: model.files }
}

async function fetchAll(
  entries: readonly CacheEntry[],
  access: Access,
  onProgress: OnProgress | undefined,
): Promise<string[]> {
  await checkRoom(entries)
  const paths: string[] = []
  // One after another: each file already uses several connections.
  for (const entry of entries) paths.push(await store(entry, access, onProgress))
  return paths
}

function accessOf(places: Places, options: FetchOptions): Access {
  const { endpoint, token } = places
  const transfer = readTransfer(options.transfer)
  const still = { phase: 'download', unit: 'bytes', done: 0, total: 0, rate: 0, eta: undefined }
  return {
    endpoint,
    token,
    transfer,
    signal: options.signal,
    onRetry: (retry) => options.onProgress?.({ ...still, retry }),
  }
}

/** Damaged or foreign bytes under a known name are fetched again instead of being used. */
function isAsKnown(model: Model<CachedFile>, known: RemoteFile | undefined): boolean {
  if (known === undefined) return true
  const [file] = model.files
  return file!.size === known.size && (file!.blob === undefined || file!.blob === known.digest!.hex)
}

function resolved(order: Order, files: readonly { path: string; place: string }[]): ResolvedModel {
  const revision = order.revision === 'main' ? '' : `@${order.revision}`
  return {
    name: order.name || `hf:${order.repo}/${files[0]!.path}${revision}`,
    paths: files.map((file) => file.place),
    bundled: false,
    note: noteOn(order.repo),
  }
}

async function notCached(order: Order, places: Places): Promise<Qwen3Error> {
  const name = order.name || `${order.repo}:${order.wish.quant ?? order.wish.file ?? 'Q8_0'}`
  const there = await findSnapshot(places.hub, order.repo, order.revision)
  const quants = there?.models.flatMap((model) => model.quant ?? []).join(' ') ?? ''
  return new Qwen3Error(
    'ERR_OFFLINE',
    `${name} is not in the cache ${places.hub} and the hub is not asked, because HF_HUB_OFFLINE or the ` +
      `offline option says so${quants === '' ? '' : `; of this repository there is ${quants}`}`,
    { name, folder: places.hub, cached: quants },
    {
      remedy: 'Pull it once while online, or copy the cache from a machine that has it.',
    },
  )
}
