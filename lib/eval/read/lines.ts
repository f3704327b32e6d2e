import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import { type Remarks, wrongData } from './remarks.ts'

/**
 * The lines of a text file, gzipped or not, without their ends. A byte order mark and CRLF ends are taken off and
 * remarked on.
 *
 * @throws Qwen3Error `ERR_DATASET` for a file that is missing, cut short, or not UTF-8.
 */
export async function* linesOf(path: string, remarks: Remarks): AsyncGenerator<string[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let rest = ''
  let isFirst = true
  let hasReturns = false
  const split = (text: string): string[] => {
    let whole = rest + text
    if (isFirst && whole.startsWith('\uFEFF')) {
      remarks.add(
        'byte-order-mark',
        'files begin with a byte order mark, which was taken off',
        path,
      )
      whole = whole.slice(1)
    }
    if (whole !== '') isFirst = false
    const lines = whole.split('\n')
    rest = lines.pop()!
    for (const [i, line] of lines.entries()) {
      if (!line.endsWith('\r')) continue
      lines[i] = line.slice(0, -1)
      hasReturns = true
    }
    return lines
  }
  try {
    for await (const chunk of bytesOf(path)) yield split(decoder.decode(chunk, { stream: true }))
    yield split(decoder.decode())
  } catch (cause) {
    throw broken(path, cause as NodeJS.ErrnoException)
  }
  if (rest.endsWith('\r')) hasReturns = true
  if (rest !== '') yield [rest.replace(/\r$/, '')]
  if (hasReturns) remarks.add('crlf', 'files end their lines with CRLF', path)
}

async function* bytesOf(path: string): AsyncIterable<Buffer> {
  const file = createReadStream(path, { highWaterMark: 1 << 18 })
  if (!path.endsWith('.gz')) {
    yield* file
    return
  }
  const unzipped = createGunzip()
  file.on('error', (error) => unzipped.destroy(error))
  yield* file.pipe(unzipped)
}

function broken(path: string, cause: NodeJS.ErrnoException): Error {
  const { code = '' } = cause
  if (code === 'ENOENT') return wrongData(`There is no file ${path}`, { file: path })
  if (code.startsWith('Z_')) {
    return wrongData(`${path} is no whole gzip file (${cause.message}): fetch it again`, {
      file: path,
    })
  }
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') {
    return wrongData(`${path} is not UTF-8: convert it, as with iconv -t utf-8`, { file: path })
  }
  return cause
}
