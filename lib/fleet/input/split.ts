// Bytes to records, without looking into them: that is all a plan needs.

/** One record, without its end. */
export interface Line {
  readonly bytes: Buffer
  /** Of its first byte, and of the byte after its end, in the (decompressed) file. */
  readonly from: number
  readonly to: number
}

/** A longer line is no record, but a file of another kind. */
const longestLine = 1 << 28

/**
 * Records that hold something, as many at a time as came. A line of CSV goes on as long as a quote is open.
 *
 * @param at where in the file the bytes begin
 */
export async function* split(
  chunks: AsyncIterable<Buffer>,
  kind: 'lines' | 'csv',
  path: string,
  at = 0,
): AsyncGenerator<Line[]> {
  let rest: Buffer[] = []
  let restBytes = 0
  let isQuoted = false
  const take = (ending: number): Line[] => {
    const bytes = rest.length === 1 ? rest[0]! : Buffer.concat(rest)
    const line = { bytes, from: at, to: at + bytes.length + ending }
    at = line.to
    rest = []
    restBytes = 0
    return isBlank(bytes) ? [] : [line]
  }
  for await (const chunk of chunks) {
    const lines: Line[] = []
    let start = 0
    let seen = 0
    for (let stop = chunk.indexOf(10); stop >= 0; stop = chunk.indexOf(10, stop + 1)) {
      if (kind === 'csv') {
        isQuoted = flips(chunk, seen, stop) !== isQuoted
        seen = stop + 1
        if (isQuoted) continue
      }
      rest.push(chunk.subarray(start, stop))
      lines.push(...take(1))
      start = stop + 1
    }
    if (kind === 'csv') isQuoted = flips(chunk, seen, chunk.length) !== isQuoted
    rest.push(chunk.subarray(start))
    restBytes += chunk.length - start
    if (restBytes > longestLine)
      throw new Error(`${path} has a record of more than ${longestLine} bytes: is it what it says?`)
    if (lines.length > 0) yield lines
  }
  const last = take(0)
  if (last.length > 0) yield last
}

/** Whether an odd number of quotes lies there. */
function flips(bytes: Buffer, from: number, to: number): boolean {
  let isOdd = false
  for (let at = bytes.indexOf(34, from); at >= 0 && at < to; at = bytes.indexOf(34, at + 1))
    isOdd = !isOdd
  return isOdd
}

function isBlank(bytes: Buffer): boolean {
  for (const byte of bytes) if (byte !== 32 && byte !== 9 && byte !== 13) return false
  return true
}
