// Bytes of a request to a JSON value, within limits.
import { type Duplex, pipeline, Readable } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { RequestError } from '../request-error.ts'
import type { HttpRequest } from './messages.ts'

/** Requests here are three levels deep. */
const maxDepth = 16

/** Bytes held for all requests that are being answered. */
export class Buffered {
  readonly limit: number
  bytes = 0

  constructor(limit: number) {
    this.limit = limit
  }
}

/**
 * The body as a JSON value. Its bytes count as `buffered` from their arrival until `release` is called, when the
 * request is answered.
 */
export async function readJson(
  request: HttpRequest,
  maxBytes: number,
  buffered: Buffered,
  onBytes: (bytes: number) => void,
): Promise<unknown> {
  checkType(request)
  const declared = Number(request.header('content-length') ?? 0)
  if (declared > maxBytes) throw tooLarge(declared, maxBytes)
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for await (const chunk of decoded(request)) {
      length += chunk.length
      if (length > maxBytes) throw tooLarge(length, maxBytes)
      buffered.bytes += chunk.length
      onBytes(chunk.length)
      if (buffered.bytes > buffered.limit) {
        throw new RequestError('overloaded', 'The server holds too much already. Try again later.')
      }
      chunks.push(chunk)
    }
  } catch (error) {
    if (error instanceof RequestError) throw error
    if (String((error as NodeJS.ErrnoException).code).startsWith('Z_')) {
      throw new RequestError('invalid', 'The body is not compressed as its Content-Encoding says')
    }
    throw new RequestError('client_gone', 'The body ended before it was complete', { cause: error })
  }
  return parse(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length))
}

function checkType(request: HttpRequest): void {
  const type = request.header('content-type') ?? ''
  // Only JSON: a browser asks before it sends that to another site, and does not ask for text or forms.
  if (!/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(type)) {
    const given = type ? JSON.stringify(type.slice(0, 60)) : 'none'
    throw new RequestError(
      'unsupported_media_type',
      `Expected the header Content-Type: application/json but received ${given}`,
    )
  }
  const charset = /charset\s*=\s*"?([\w-]+)/i.exec(type)?.[1]
  if (charset && !/^utf-?8$/i.test(charset)) {
    throw new RequestError(
      'unsupported_media_type',
      `Expected JSON in UTF-8 but received ${charset}`,
    )
  }
}

const decoders: Readonly<Record<string, () => Duplex>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
}

/** The bytes behind Content-Encoding. They are counted as they come out, so that a small body cannot become a large one. */
function decoded(request: HttpRequest): AsyncIterable<Uint8Array> {
  const coding = request.header('content-encoding')?.trim().toLowerCase() ?? 'identity'
  const source = request.body ?? Readable.from([])
  if (coding === 'identity' || coding === '') return source
  const decoder = decoders[coding]?.()
  if (!decoder) {
    throw new RequestError(
      'unsupported_media_type',
      `Expected a Content-Encoding of gzip, deflate or br but received ${JSON.stringify(coding.slice(0, 60))}`,
    )
  }
  pipeline(Readable.from(source), decoder, () => {})
  return decoder
}

function tooLarge(bytes: number, limit: number): RequestError {
  return new RequestError(
    'body_too_large',
    `Expected a body of at most ${limit} bytes but received ${bytes} or more. Send fewer texts at a time.`,
  )
}

function parse(bytes: Uint8Array): unknown {
  if (bytes.length === 0)
    throw new RequestError('invalid', 'Expected a JSON body but received none')
  if (isDeep(bytes)) {
    throw new RequestError(
      'invalid',
      `Expected JSON of at most ${maxDepth} levels but it is deeper`,
    )
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    // A syntax error quotes the text around it, which is the user's to see and not the log's.
    const why = error instanceof SyntaxError ? error.message : 'it is not UTF-8'
    throw new RequestError('invalid', `Expected a JSON body but it could not be read: ${why}`)
  }
}

const [quote, backslash] = [0x22, 0x5c]

// Before parsing: eight million `[` would become eight million arrays.
function isDeep(bytes: Uint8Array): boolean {
  let depth = 0
  let inString = false
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!
    if (inString) {
      if (byte === backslash) i++
      else if (byte === quote) inString = false
    } else if (byte === quote) inString = true
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > maxDepth) return true
    } else if (byte === 0x5d || byte === 0x7d) depth--
  }
  return false
}
