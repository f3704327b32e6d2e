// A node:http server around the handler: where it listens, how long it waits, how it stops.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FileInfo } from '../index.ts'
import type { Index } from '../search/index.ts'
import { createHandler, type Handler } from './handler.ts'
import { type Opening, OpeningListener } from './opening.ts'
import type { HandlerOptions } from './options.ts'

type Models = HandlerOptions['models']

export interface ServeOptions extends Omit<HandlerOptions, 'models' | 'index'> {
  /**
   * Models by name, or what opens them while the server listens already: it answers that it is alive, is not ready
   * (503 with what it does), and other requests wait. It is told what to tell of how far it is.
   */
  models: Models | ((opening: Opening) => Promise<Models>)
  /** Files to be searched, or what opens them once the models are. */
  index?: Index | (() => Promise<Index>) | undefined
  /** @default 8080; 0 for any free one */
  port?: number | undefined
  /** Any other than this machine's own needs `keys`, or `withoutKey`. @default '127.0.0.1' */
  host?: string | undefined
  /** Everybody who reaches this server may use it. @default false */
  withoutKey?: boolean | undefined
}

export interface RunningServer {
  /** `http://127.0.0.1:8080` */
  readonly url: string
  readonly port: number
  readonly server: Server
  /** Resolves when the models are open, rejects where that failed; the server is closed then. */
  readonly ready: Promise<void>
  /**
   * Takes no more requests, lets those that run be answered, and closes. After `patience` milliseconds it hangs up on
   * those that are left. The models stay loaded.
   */
  close(options?: { patience?: number }): Promise<void>
}

const loopback = ['127.0.0.1', '::1', 'localhost']

/** Whether other machines can reach what listens there. */
export function isOpenTo(host: string): boolean {
  return !loopback.includes(host)
}

/**
 * Serves models over HTTP.
 *
 * @throws TypeError, RangeError for options that make no sense, such as an open address without a key; the system's
 * error where it cannot listen.
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { port = 8080, host = '127.0.0.1', withoutKey = false, models, index, ...rest } = options
  const isLocal = !isOpenTo(host)
  const isLocked = (rest.keys?.length ?? 0) > 0
  if (!isLocal && !isLocked && !withoutKey) {
    throw new TypeError(
      `Expected an API key for listening on ${host}, where others can reach this server. Give keys, or listen on 127.0.0.1, or say withoutKey: true.`,
    )
  }
  // Who lets everybody in lets in every name too.
  const hosts =
    isLocal && !isLocked && !withoutKey ? ['127.0.0.1', '[::1]', 'localhost'] : undefined
  const handle = (these: Models, files?: Index) =>
    createHandler({
      compress: true,
      ...rest,
      models: these,
      index: files,
      hosts: rest.hosts ?? hosts,
    })
  const isOpener = typeof models === 'function'
  // Now, and not after minutes of loading: options that make no sense.
  if (!isOpener && typeof index === 'function')
    throw new TypeError('Expected an index that is open, as the models are, not a function')
  let handler = isOpener ? handle(placeholder) : handle(models, index as Index | undefined)
  const state: Opening = { opened: 0, doing: 'load' }
  const opening = new OpeningListener(rest.basePath ?? '', state)
  if (!isOpener) opening.open(handler.node)
  const server = createServer(timeouts, opening.listen)
  server.maxConnections = 4096
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const bound = (server.address() as AddressInfo).port
  let closing: Promise<void> | undefined
  const close = (patience: number) => {
    closing ??= stop(server, handler.close(), patience)
    return closing
  }
  const open = async (opener: (opening: Opening) => Promise<Models>) => {
    try {
      const these = await opener(state)
      const opened: Handler = handle(these, typeof index === 'function' ? await index() : index)
      if (closing) await opened.close()
      else handler = opened
      opening.open(opened.node)
    } catch (error) {
      opening.abandon()
      await close(0)
      throw error
    }
  }
  const ready = isOpener ? open(models) : Promise.resolve()
  // Told to whoever asks.
  ready.catch(() => {})
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    port: bound,
    server,
    ready,
    close: ({ patience = 30_000 } = {}) => close(patience),
  }
}

/** For the checks of all other options. */
const placeholder: Models = {
  none: {
    kind: 'embedding',
    info: {} as FileInfo,
    load: () => Promise.reject(new Error('There is none')),
  },
}

/** Milliseconds, against clients that send a byte now and then to hold a connection. */
const timeouts = {
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 2_000,
  maxHeaderSize: 16_384,
}

async function stop(server: Server, answered: Promise<void>, patience: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), patience)
  await answered
  // Connections whose last answer has just been sent are idle now.
  const idle = setInterval(() => server.closeIdleConnections(), 50)
  await closed
  clearInterval(idle)
  clearTimeout(timer)
}
