/// <reference lib="esnext.disposable" preserve="true" />
// One file that answers questions about many.
import { realpath, stat } from 'node:fs/promises'
import { Qwen3Error } from '../errors.ts'
import type { Embedder, Reranker } from '../index.ts'
import { Lease, LeaseLost } from '../models/lock.ts'
import { fill } from './fill.ts'
import { Reader } from './files/reader.ts'
import { measure } from './measure.ts'
import { closedIndex, type LazyModel, lazyEmbedder, lazyReranker, spaceSettings } from './models.ts'
import {
  checked,
  checkedRules,
  type Document,
  type IndexOptions,
  type SearchOptions,
  type UpdateOptions,
} from './options.ts'
import { reranked } from './rerank.ts'
import type { PassageText } from './store/answer.ts'
import type { ExportedPassage, Finding } from './store/check.ts'
import type { ListedFile, Status } from './store/status.ts'
import type { StoreMethods } from './store/worker.ts'
import { Thread } from '../thread/thread.ts'
import type { Answer, Root, Rules } from './types.ts'
import { type Report, updateWords } from './update.ts'
import { watchRoots } from './watch.ts'

/** Without a walk for so long an answer says that it may be old. */
const staleMs = 60_000

/**
 * An index of folders and texts, in one file that can be copied, moved and searched while it is written to.
 *
 * One process at a time indexes, any number search. Nothing that grows with the documents runs on the JS thread.
 */
export class Index implements AsyncDisposable {
  readonly path: string
  readonly #store: Thread<StoreMethods>
  readonly #readOnly: boolean
  readonly #main: LazyModel<Embedder>
  readonly #standIn: LazyModel<Embedder> | undefined
  readonly #reranker: LazyModel<Reranker> | undefined
  #updating: Promise<unknown> = Promise.resolve()
  #isClosed = false

  private constructor(
    path: string,
    store: Thread<StoreMethods>,
    model: string,
    options: IndexOptions,
  ) {
    const { embedder = model, standIn = 'mini', reranker, readOnly = false, load } = options
    this.path = path
    this.#store = store
    this.#readOnly = readOnly
    this.#main = lazyEmbedder(embedder, load)
    this.#standIn =
      standIn === null || standIn === embedder
        ? undefined
        : lazyEmbedder(standIn, { threads: load?.threads })
    this.#reranker = reranker === undefined ? undefined : lazyReranker(reranker, load)
  }

  /**
   * Opens an index file, or makes one.
   *
   * @throws Qwen3Error `ERR_INDEX_NOT_FOUND`, `ERR_INDEX_DAMAGED`, `ERR_INDEX_VERSION`; TypeError or RangeError for
   * options that make no sense. Models are loaded later, when they are needed.
   */
  static async open(path: string, options: IndexOptions = {}): Promise<Index> {
    const { readOnly = false, create = !readOnly } = checked(options, 'index')
    const access = readOnly ? 'read' : create ? 'create' : 'write'
    const store = new Thread<StoreMethods>(new URL('./store/worker.js', import.meta.url), {
      path,
      access,
    })
    try {
      await store.call('open', [])
      const spaces = await store.call('spaces', [])
      const model = spaces.find(({ role }) => role === 'main')?.model
      return new Index(path, store, model ?? 'mini', options)
    } catch (error) {
      await store.end()
      throw error
    }
  }

  /** Takes a folder in, or gives it other rules; `update` reads it. */
  async addRoot(folder: string, rules: Rules = {}): Promise<void> {
    checkedRules(rules)
    const path = await realpath(folder)
    if (!(await stat(path)).isDirectory())
      throw new TypeError(`Expected a folder but ${folder} is a file`)
    await this.#writing(() => this.#store.call('addRoot', [path.replaceAll('\\', '/'), rules]))
  }

  /** @returns false if it was not in the index */
  async removeRoot(folder: string): Promise<boolean> {
    const path = await realpath(folder).catch(() => folder)
    return this.#writing(() => this.#store.call('removeRoot', [path.replaceAll('\\', '/')]))
  }

  async roots(): Promise<Root[]> {
    return (await this.#call('roots', [])).filter(({ path }) => path !== '')
  }

  /** Of queries, in English: what questions are for. '' forgets it. */
  async setInstruction(instruction: string): Promise<void> {
    await this.#writing(() => this.#store.call('setMeta', ['instruction', instruction]))
  }

  /**
   * Brings the index up to date with its folders. It may be aborted, or killed, at any time: what it finished is kept
   * and the next one goes on from there. Words come first, so that files are found at once; then vectors, those of the
   * stand-in before those of the embedder.
   *
   * @throws Qwen3Error `ERR_INDEX_BUSY` with `wait: false`, `ERR_DISK_FULL`, and what loading a model throws
   */
  async update(options: UpdateOptions = {}): Promise<Report> {
    const { vectors = true, takeOutMost = false, signal, onProgress } = checked(options, 'update')
    const begun = performance.now()
    const report: Report = {
      ...{ files: 0, read: 0, removed: 0, kept: 0, skipped: 0, failed: 0, embedded: 0, seconds: 0 },
      ...{ missing: [], remarks: [] },
    }
    await this.#writing(async (hold) => {
      await updateWords(this.#store, { signal, onProgress, takeOutMost, hold, report })
      if (vectors) await this.#fill(options, hold, report)
    }, options)
    report.seconds = (performance.now() - begun) / 1000
    return report
  }

  /** A text that is no file; one of the same path is replaced. It is found by its words at once. */
  async put(document: Document): Promise<void> {
    checked(document, 'document')
    if (!document.path) throw new TypeError('Expected a path for the document')
    await this.#writing(async () => {
      const root = await this.#store.call('addRoot', ['', {}])
      const reader = new Reader()
      try {
        await this.#store.call('put', [[await reader.given(root, document)]])
      } finally {
        await reader.close()
      }
    })
  }

  /** Takes a text out that was put in. @returns false if there is none of that path */
  async remove(path: string): Promise<boolean> {
    return this.#writing(async () => {
      const root = await this.#store.call('addRoot', ['', {}])
      return this.#store.call('remove', [root, path])
    })
  }

  /**
   * The passages that answer a question best. `"a phrase"` must occur in them, `-word` must not.
   *
   * @throws Qwen3Error `ERR_CLOSED`, `ERR_INDEX_DAMAGED`; the signal's reason when aborted
   */
  async search(query: string, options: SearchOptions = {}): Promise<Answer> {
    if (typeof query !== 'string' || query.trim() === '')
      throw new TypeError('Expected a question that is not empty')
    const {
      limit = 10,
      perFile = 3,
      alpha,
      rerank = false,
      signal,
      ...rest
    } = checked(options, 'search')
    const {
      patience = 1_500,
      longest = 2_400,
      fusion = 'scores',
      in: inside,
      types,
      since,
      until,
    } = rest
    const remarks: string[] = []
    signal?.throwIfAborted()
    const t0 = performance.now()
    const vectors = alpha === 0 ? [] : await this.#queryVectors(query, options, remarks)
    const t1 = performance.now()
    signal?.throwIfAborted()
    const depth = rerank ? Math.max(limit, 50) : limit
    const request = {
      ...{ query, limit: depth, perFile, alpha, vectors, longest, fusion },
      ...{ in: inside, types, since, until },
    }
    const found = await this.#call('answer', [request])
    const t2 = performance.now()
    let { hits } = found
    if (rerank) {
      if (!this.#reranker)
        throw new TypeError('Expected the index to be opened with a reranker to rerank')
      const reranker = await this.#reranker.get()
      hits = await reranked(reranker, query, hits, {
        instruction: options.instruction,
        patience,
        signal,
      })
    }
    const walks = (await this.roots()).map(({ walked }) => walked)
    return {
      ...found,
      hits: hits.slice(0, limit),
      stale: walks.some((walked) => Date.now() - walked > staleMs),
      remarks,
      took: { embed: t1 - t0, search: t2 - t1, rerank: performance.now() - t2 },
    }
  }

  /**
   * A passage by the id that a search gave, with whole lines of so many characters around it.
   *
   * @throws Qwen3Error `ERR_INDEX_NOT_FOUND` if its file changed
   */
  async passage(id: string, { around = 0 }: { around?: number } = {}): Promise<PassageText> {
    if (!Number.isInteger(around) || around < 0)
      throw new RangeError(`Expected around to be an integer of at least 0 but received ${around}`)
    return this.#call('passage', [`${id}`, around])
  }

  /** Whether it was opened with a reranker. */
  get reranks(): boolean {
    return this.#reranker !== undefined
  }

  status(): Promise<Status> {
    return this.#call('status', [])
  }

  /** All files, also those that could not be read. */
  list(): Promise<ListedFile[]> {
    return this.#call('list', [])
  }

  /** Looks for damage. @returns what it found, nothing if all is well */
  check(): Promise<Finding[]> {
    return this.#call('check', [])
  }

  /** Of all that is in it, the same for the same documents and models: sha256 in hex. */
  digest(): Promise<string> {
    return this.#call('digest', [])
  }

  /** A copy of one moment, while the index is in use. The file must not be there yet. */
  async backup(file: string): Promise<void> {
    await this.#call('backup', [file])
  }

  /** Every passage with its vector, for another engine. Files that are taken out meanwhile are left out. */
  async *passages(): AsyncGenerator<ExportedPassage> {
    const space = (await this.#call('spaces', [])).find(({ role }) => role === 'main')
    for (const id of await this.#call('fileIds', []))
      yield* await this.#call('exported', [id, space?.id ?? 0])
  }

  /** Keeps it up to date until the signal: a report for each change, the first one of what had changed before. */
  watch(
    options: { signal?: AbortSignal | undefined; onProgress?: UpdateOptions['onProgress'] } = {},
  ) {
    return watchRoots(this, options)
  }

  /** Waits for updates, closes the file and the models that were loaded here. Safe to call twice. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#updating.catch(() => {})
    await this.#store.call('close', []).catch(() => {})
    await this.#store.end()
    await Promise.all([this.#main.close(), this.#standIn?.close(), this.#reranker?.close()])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #fill(options: UpdateOptions, hold: () => Promise<void>, report: Report): Promise<void> {
    const { signal, onProgress } = options
    const spaces = [
      ...(this.#standIn ? [{ model: this.#standIn, role: 'stand-in' as const }] : []),
      { model: this.#main, role: 'main' as const },
    ]
    for (const { model, role } of spaces) {
      signal?.throwIfAborted()
      const { space, embedder, isMeasured } = await this.#ensureSpace(model, role, report)
      const { filled, failed } = await fill(this.#store, space, embedder, {
        signal,
        onProgress,
        hold,
      })
      if (role === 'main') report.embedded += filled
      if (failed > 0)
        report.remarks.push(
          `${failed} passages are found by their words alone: no vector came of them`,
        )
      if (filled > 0 || !isMeasured) await measure({ store: this.#store, space, embedder, signal })
    }
    await this.#store.call('dropLeaving', [])
  }

  async #ensureSpace(model: LazyModel<Embedder>, role: 'main' | 'stand-in', report: Report) {
    const embedder = await model.get()
    const before = (await this.#store.call('spaces', [])).find((space) => space.role === role)
    const space = await this.#store.call('ensureSpace', [
      {
        ...{ model: model.name, role, settings: spaceSettings, width: embedder.dimensions },
        fingerprint: embedder.info.fingerprint,
      },
    ])
    if (before && before.id !== space && role === 'main')
      report.remarks.push(
        `The vectors were of ${before.model} (${before.fingerprint.slice(0, 12)}), and are made anew by ` +
          `${model.name} (${embedder.info.fingerprint.slice(0, 12)})`,
      )
    return { space, embedder, isMeasured: before?.id === space && before.isMeasured }
  }

  /** Of the question, by each model that has vectors here and is at hand. */
  async #queryVectors(query: string, options: SearchOptions, remarks: string[]) {
    const { signal, wait = true } = options
    const instruction = options.instruction ?? (await this.#call('meta', ['instruction'])) ?? ''
    const spaces = await this.#call('spaces', [])
    const vectors: { space: number; vector: Float32Array }[] = []
    for (const model of this.#standIn ? [this.#main, this.#standIn] : [this.#main]) {
      const isMain = model === this.#main
      const space = spaces.find(({ role }) => role === (isMain ? 'main' : 'stand-in'))
      if (!space) continue
      if (isMain && !wait && this.#standIn && !model.ready) {
        model.get().catch(() => {})
        remarks.push(`${model.name} is not loaded: what stands in for it answered`)
        continue
      }
      try {
        const embedder = await model.get()
        if (embedder.info.fingerprint !== space.fingerprint) {
          remarks.push(
            `The file of ${model.name} is not the one that the index was made with: update it`,
          )
          continue
        }
        const given = isMain && instruction !== '' ? { instruction } : {}
        const vector = await embedder.embedQuery(query, { ...given, signal, truncate: 'end' })
        vectors.push({ space: space.id, vector: vector.slice() })
      } catch (error) {
        if (signal?.aborted) throw error
        remarks.push(`${model.name} could not be asked: ${(error as Error).message}`)
      }
    }
    if (spaces.length === 0) remarks.push('No vectors have been made yet: words alone answered')
    return vectors
  }

  #call<K extends keyof StoreMethods & string>(
    method: K,
    args: Parameters<StoreMethods[K]>,
  ): Promise<Awaited<ReturnType<StoreMethods[K]>>> {
    if (this.#isClosed) return Promise.reject(closedIndex())
    return this.#store.call(method, args)
  }

  /** One writer at a time, in this process and among all. */
  #writing<T>(
    work: (hold: () => Promise<void>) => Promise<T>,
    { signal, wait = true }: { signal?: AbortSignal | undefined; wait?: boolean | undefined } = {},
  ): Promise<T> {
    if (this.#isClosed) return Promise.reject(closedIndex())
    if (this.#readOnly)
      return Promise.reject(new TypeError('Expected an index that was not opened readOnly'))
    const result = this.#updating.then(async () => {
      const lease = await Lease.acquire(`${this.path}.lock`, {
        signal,
        onWait: async () => {
          if (!wait) throw busy(this.path)
        },
      })
      try {
        return await work(() => lease.hold())
      } catch (error) {
        if (error instanceof LeaseLost) throw busy(this.path)
        throw error
      } finally {
        await lease.release()
      }
    })
    this.#updating = result.catch(() => {})
    return result
  }
}

function busy(path: string): Qwen3Error {
  return new Qwen3Error(
    'ERR_INDEX_BUSY',
    `Another process is indexing ${path}.`,
    { path },
    { remedy: 'Searching works meanwhile; try again when it is done.' },
  )
}
