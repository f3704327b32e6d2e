// Records of JSON lines, plain or compressed, as bytes: only a worker takes them apart.
import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'

/** One line, without its end. */
export interface Line {
  readonly bytes: Buffer
  /** Of its first byte, and of the byte after its end, in the (decompressed) file. */
  readonly from: number
  readonly to: number
}

export const isCompressed = (path: string): boolean => /\.gz$/i.test(path)

/** A longer line is no record, but a file of another kind. */
const longestLine = 1 << 28

/** Lines that hold something, as many at a time as came; of a plain file those from byte `from` to before `to`. */
export async function* recordLines(
  path: string,
  signal?: AbortSignal,
  [from, to]: readonly [number, number] = [0, Number.POSITIVE_INFINITY],
): AsyncGenerator<Line[]> {
  if (to <= from) return
  const end = Number.isFinite(to) ? { end: to - 1 } : {}
  const file = createReadStream(path, { start: from, highWaterMark: 1 << 18, ...end })
  const stream = isCompressed(path) ? file.pipe(createGunzip()) : file
  if (stream !== file) file.on('error', (error) => stream.destroy(error))
  let rest: Buffer[] = []
  let restBytes = 0
  let at = from
  const take = (ending: number): Line[] => {
    const bytes = rest.length === 1 ? rest[0]! : Buffer.concat(rest)
    const line = { bytes, from: at, to: at + bytes.length + ending }
    at = line.to
    rest = []
    restBytes = 0
    return isBlank(bytes) ? [] : [line]
  }
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      signal?.throwIfAborted()
      const lines: Line[] = []
      let start = 0
      for (let stop = chunk.indexOf(10); stop >= 0; stop = chunk.indexOf(10, start)) {
        rest.push(chunk.subarray(start, stop))
        lines.push(...take(1))
        start = stop + 1
      }
      rest.push(chunk.subarray(start))
      restBytes += chunk.length - start
      if (restBytes > longestLine)
        throw new Error(`${path} has a line of more than ${longestLine} bytes: is it JSON lines?`)
      if (lines.length > 0) yield lines
    }
    const last = take(0)
    if (last.length > 0) yield last
  } finally {
    file.destroy()
    stream.destroy()
  }
}

function isBlank(bytes: Buffer): boolean {
  for (const byte of bytes) if (byte !== 32 && byte !== 9 && byte !== 13) return false
  return true
}

/** A record taken apart, or why it cannot be. */
export type Parsed = { id: string | number } & ({ text: string } | { problem: string })

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** `place` is its id where it bears none. */
export function parseRecord(
  bytes: Buffer,
  fields: { text: string; id: string },
  place: number,
): Parsed {
  let record: unknown
  try {
    record = JSON.parse(utf8.decode(bytes))
  } catch (error) {
    return { id: place, problem: `Expected JSON in UTF-8: ${(error as Error).message}` }
  }
  if (typeof record === 'string') return { id: place, text: record }
  const object = (typeof record === 'object' && record !== null ? record : {}) as Record<
    string,
    unknown
  >
  const given = object[fields.id]
  const id = typeof given === 'string' || typeof given === 'number' ? given : place
  const text = object[fields.text]
  if (typeof text === 'string') return { id, text }
  return { id, problem: `Expected a string field ${JSON.stringify(fields.text)}` }
}
