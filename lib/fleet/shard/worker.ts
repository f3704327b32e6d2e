// The thread in which all that grows with the records happens: reading, embedding (in a process of its own), writing.
import { Embedder, type LoadOptions } from '../../index.ts'
import type { Progress } from '../../progress.ts'
import { serveThread, type Tell } from '../../thread/serve.ts'
import { type Making, makeShard } from './make.ts'

/** What becomes of an embedder here, for whoever asked for it. */
export interface Loaded {
  readonly path: string
  readonly fingerprint: string
  readonly queryFingerprint: string
  readonly kernels: string
}

/** What crosses into a thread. */
export type Crossing = Omit<LoadOptions, 'pool' | 'signal' | 'onProgress'>

export type News = { readonly rows: number } | { readonly loading: Progress }

let embedder: Embedder | undefined

const methods = {
  async load(tell: Tell, model: string, options: Crossing): Promise<Loaded> {
    const onProgress = (loading: Progress) => tell({ loading } satisfies News)
    embedder = await Embedder.load(model, { ...options, signal: tell.signal, onProgress })
    const { path, fingerprint, queryFingerprint, kernels } = embedder.info
    return { path, fingerprint, queryFingerprint, kernels }
  },
  make: (tell: Tell, making: Making) =>
    makeShard(making, embedder!, tell.signal, (rows) => tell({ rows } satisfies News)),
  close: async () => embedder?.close(),
}

export type ShardMethods = {
  load(model: string, options: Crossing): Promise<Loaded>
  make(making: Making): ReturnType<typeof makeShard>
  close(): Promise<void>
}

serveThread(methods)
