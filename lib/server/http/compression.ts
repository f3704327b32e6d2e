// Answers in fewer bytes, for clients that ask for it.
import { pipeline, Readable } from 'node:stream'
import { constants, createBrotliCompress, createGzip } from 'node:zlib'
import type { HttpRequest, HttpResponse } from './messages.ts'

/** Smaller answers fit a packet or two anyway. */
const least = 1_400

/** Fast settings: the answer is waited for, and mostly digits. */
const encoders = {
  br: () => createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
  gzip: () => createGzip({ level: 1 }),
} as const

export function compress(request: HttpRequest, response: HttpResponse): void {
  const { headers, body } = response
  const isWhole = typeof body === 'string' || body instanceof Uint8Array
  if (isWhole && body.length < least) return
  headers.vary = headers.vary ? `${headers.vary}, accept-encoding` : 'accept-encoding'
  const coding = wanted(request.header('accept-encoding') ?? '')
  if (coding === undefined || request.method === 'HEAD') return
  headers['content-encoding'] = coding
  const encoder = encoders[coding]()
  pipeline(Readable.from(isWhole ? [body] : body), encoder, () => {})
  response.body = encoder
}

function wanted(header: string): keyof typeof encoders | undefined {
  const accepted = new Map<string, number>()
  for (const part of header.toLowerCase().split(',')) {
    const [coding = '', ...parameters] = part.split(';').map((one) => one.trim())
    const quality = parameters.find((one) => one.startsWith('q='))
    accepted.set(coding, quality === undefined ? 1 : Number(quality.slice(2)))
  }
  const codings = Object.keys(encoders) as (keyof typeof encoders)[]
  return codings
    .filter((coding) => (accepted.get(coding) ?? accepted.get('*') ?? 0) > 0)
    .sort((a, b) => (accepted.get(b) ?? 0) - (accepted.get(a) ?? 0))[0]
}
