// Bytes of a request to a JSON value, within limits.
import type { Incoming } from './exchange.ts'
import { Refusal } from './refusal.ts'

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
  incoming: Incoming,
  maxBytes: number,
  buffered: Buffered,
  onBytes: (bytes: number) => void,
): Promise<unknown> {
  checkType(incoming)
  const declared = Number(incoming.header('content-length') ?? 0)
  if (declared > maxBytes) throw tooLarge(declared, maxBytes)
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for await (const chunk of incoming.body ?? []) {
      length += chunk.length
      if (length > maxBytes) throw tooLarge(length, maxBytes)
      buffered.bytes += chunk.length
      onBytes(chunk.length)
      if (buffered.bytes > buffered.limit) {
        throw new Refusal('overloaded', 'The server holds too much already. Try again later.')
      }
      chunks.push(chunk)
    }
  } catch (error) {
    if (error instanceof Refusal) throw error
    throw new Refusal('client_gone', 'The body ended before it was complete', { cause: error })
  }
  return parse(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length))
}

function checkType(incoming: Incoming): void {
  const type = incoming.header('content-type') ?? ''
  // Only JSON: a browser asks before it sends that to another site, and does not ask for text or forms.
  if (!/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(type)) {
    const given = type ? JSON.stringify(type.slice(0, 60)) : 'none'
    throw new Refusal(
      'unsupported_media_type',
      `Expected the header Content-Type: application/json but received ${given}`,
    )
  }
  const charset = /charset\s*=\s*"?([\w-]+)/i.exec(type)?.[1]
  if (charset && !/^utf-?8$/i.test(charset)) {
    throw new Refusal('unsupported_media_type', `Expected JSON in UTF-8 but received ${charset}`)
  }
  const coding = incoming.header('content-encoding')
  if (coding && coding !== 'identity') {
    throw new Refusal(
      'unsupported_media_type',
      `Expected a body without Content-Encoding but received ${JSON.stringify(coding.slice(0, 60))}`,
    )
  }
}

function tooLarge(bytes: number, limit: number): Refusal {
  return new Refusal(
    'body_too_large',
    `Expected a body of at most ${limit} bytes but received ${bytes} or more. Send fewer texts at a time.`,
  )
}

function parse(bytes: Uint8Array): unknown {
  if (bytes.length === 0) throw new Refusal('invalid', 'Expected a JSON body but received none')
  if (isDeep(bytes)) {
    throw new Refusal('invalid', `Expected JSON of at most ${maxDepth} levels but it is deeper`)
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    // A syntax error quotes the text around it, which is the user's to see and not the log's.
    const why = error instanceof SyntaxError ? error.message : 'it is not UTF-8'
    throw new Refusal('invalid', `Expected a JSON body but it could not be read: ${why}`)
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
