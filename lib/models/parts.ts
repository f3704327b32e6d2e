import { setMaxListeners } from 'node:events'
import { type Access, type Answer, request, show } from './http.ts'
import { contentLength, contentRange, isSame, type Probed, type Wanted } from './probe.ts'
import type { PartialFile } from './partial.ts'
import { withRetries, Transient } from './retry.ts'
import { httpError } from './http-error.ts'
import type { Span } from './spans.ts'

/** What was fetched so far cannot be continued: the file changed, or cannot be told apart. */
export class StartOver extends Error {}
/** The server answers range requests with the whole file. */
class RangesIgnored extends Error {}

export type Sink = (chunk: Uint8Array, at: number) => Promise<void>

export async function fetchAll(
  wanted: Wanted,
  probed: Probed,
  partial: PartialFile,
  access: Access,
  sink: Sink,
): Promise<void> {
  if (probed.ranges && (probed.digest !== undefined || probed.validator !== undefined)) {
    try {
      return await fetchParts(wanted, probed, partial, access, sink)
    } catch (error) {
      if (!(error instanceof RangesIgnored)) throw error
    }
  }
  await fetchWhole(wanted, probed, partial, access, sink)
}

/** Several connections take the missing ranges in order, so that hashing can follow closely. */
async function fetchParts(
  wanted: Wanted,
  probed: Probed,
  partial: PartialFile,
  access: Access,
  sink: Sink,
): Promise<void> {
  const parts = partial.missing().flatMap((span) => cut(span, access.transfer.partBytes))
  const stop = new AbortController()
  setMaxListeners(0, stop.signal)
  const forward = () => stop.abort(access.signal?.reason)
  access.signal?.addEventListener('abort', forward, { once: true })
  // A signed address expires; the hub is asked for a fresh one then.
  const source = { url: probed.url }
  const inner: Access = { ...access, signal: stop.signal }
  const connection = async () => {
    try {
      for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
        await fetchPart(wanted, probed, source, part, inner, sink)
      }
    } catch (error) {
      stop.abort(error)
      throw error
    }
  }
  try {
    access.signal?.throwIfAborted()
    const count = Math.min(access.transfer.connections, parts.length)
    await Promise.allSettled(Array.from({ length: count }, connection))
    // The first failure stopped the others and is the reason they report.
    stop.signal.throwIfAborted()
  } finally {
    access.signal?.removeEventListener('abort', forward)
  }
}

async function fetchPart(
  wanted: Wanted,
  probed: Probed,
  source: { url: string },
  [start, end]: Span,
  access: Access,
  sink: Sink,
): Promise<void> {
  let at = start
  let url = source.url
  await withRetries(
    access,
    () => at,
    async () => {
      const answer = await request(url, access, { range: `bytes=${at}-${end - 1}` })
      if (answer.status !== 206) {
        if (answer.status === 200) {
          await answer.discard()
          throw new RangesIgnored()
        }
        const error = await httpError(answer, wanted.name, access)
        if (url === wanted.url || error instanceof Transient) throw error
        url = wanted.url
        throw new Transient(error.message, { cause: error })
      }
      url = answer.url
      source.url = url
      const range = contentRange(answer)
      await reject(
        answer,
        range?.start === at && (range.total ?? probed.size) === probed.size,
        () => lied(wanted, answer, `bytes ${at}-${end - 1} of ${probed.size}`),
      )
      await reject(answer, isSame(probed, answer), () => new StartOver('it changed on the server'))
      for await (const chunk of answer.chunks()) {
        // Some servers round a range up.
        const asked = chunk.subarray(0, end - at)
        await sink(asked, at)
        at += asked.length
        if (at === end) return
      }
      if (at < end) throw new Transient(`${show(answer.url)} closed the connection early`)
    },
  )
}

/** One connection from the first byte to the last, for servers that know no ranges. */
async function fetchWhole(
  wanted: Wanted,
  probed: Probed,
  partial: PartialFile,
  access: Access,
  sink: Sink,
): Promise<void> {
  const canContinue = probed.digest !== undefined || probed.validator !== undefined
  await withRetries(
    access,
    () => partial.bytes,
    async () => {
      if (!canContinue && partial.bytes > 0) {
        throw new StartOver('the server offers nothing to tell one version of it from another')
      }
      const answer = await request(wanted.url, access)
      if (answer.status !== 200) throw await httpError(answer, wanted.name, access)
      await reject(answer, (contentLength(answer) ?? probed.size) === probed.size, () =>
        lied(wanted, answer, `${probed.size} bytes`),
      )
      await reject(answer, isSame(probed, answer), () => new StartOver('it changed on the server'))
      let at = 0
      for await (const chunk of answer.chunks()) {
        if (at + chunk.length > probed.size) throw lied(wanted, answer, `${probed.size} bytes`)
        await sink(chunk, at)
        at += chunk.length
      }
      if (at < probed.size) throw new Transient(`${show(answer.url)} closed the connection early`)
    },
  )
}

async function reject(answer: Answer, isFine: boolean, why: () => Error): Promise<void> {
  if (isFine) return
  await answer.discard()
  throw why()
}

function cut([start, end]: Span, length: number): Span[] {
  const parts: Span[] = []
  for (let at = start; at < end; at += length) parts.push([at, Math.min(at + length, end)])
  return parts
}

function lied(wanted: Wanted, answer: Answer, expected: string): Transient {
  const sent =
    answer.headers.get('content-range') ?? answer.headers.get('content-length') ?? 'something else'
  return new Transient(
    `${show(answer.url)} should send ${expected} of ${wanted.name} but sends ${sent}`,
  )
}
