import { Qwen3Error } from '../errors.ts'
import type { Digest } from './digest.ts'
import { type Access, type Answer, request, show } from './http.ts'
import { httpError } from './http-error.ts'

/** A file to fetch, and what is known about it before. */
export interface Wanted {
  readonly url: string
  /** For progress and messages. */
  readonly name: string
  readonly size?: number | undefined
  readonly digest?: Digest | undefined
}

/** What a server told about a file when asked for its first bytes. */
export interface Probed {
  readonly url: string
  readonly size: number
  readonly ranges: boolean
  readonly digest: Digest | undefined
  readonly validator: string | undefined
}

const magic = 'GGUF'

/** Asks for the first bytes: the length, whether ranges work, and whether this is a GGUF at all. */
export async function probe(wanted: Wanted, access: Access): Promise<Probed> {
  const answer = await request(wanted.url, access, { range: `bytes=0-${magic.length - 1}` })
  if (answer.status !== 200 && answer.status !== 206) {
    throw await httpError(answer, wanted.name, access)
  }
  const ranges = answer.status === 206
  const stated = ranges ? contentRange(answer)?.total : contentLength(answer)
  const start = await firstBytes(answer)
  const size = stated ?? wanted.size
  const facts = { file: wanted.name, url: show(answer.url) }
  if (size === undefined) {
    throw new Qwen3Error(
      'ERR_DOWNLOAD',
      `${facts.url} does not say how long the file is, so an incomplete one could not be told from a complete one`,
      facts,
      { remedy: 'Fetch it by other means and use its path.' },
    )
  }
  if (wanted.size !== undefined && size !== wanted.size) {
    throw new Qwen3Error(
      'ERR_DOWNLOAD',
      `${facts.url} offers ${size} bytes but ${wanted.name} has ${wanted.size}: the server or a proxy before it is at fault`,
      { ...facts, offered: size, size: wanted.size },
      { remedy: 'Try again later or use another endpoint.' },
    )
  }
  if (start !== magic) {
    throw new Qwen3Error(
      'ERR_DOWNLOAD',
      `${facts.url} is not a GGUF file: it starts with ${JSON.stringify(start)}. A sign-in page of the ` +
        'network, or an unfetched Git LFS pointer, would explain it',
      facts,
      { remedy: 'Open the address in a browser.' },
    )
  }
  const digest = wanted.digest ?? linkedDigest(answer)
  return { url: answer.url, size, ranges, digest, validator: validatorOf(answer) }
}

async function firstBytes(answer: Answer): Promise<string> {
  let start = Buffer.alloc(0)
  for await (const chunk of answer.chunks()) {
    start = Buffer.concat([start, chunk])
    if (start.length >= magic.length) break
  }
  return start.subarray(0, magic.length).toString('latin1')
}

/** Only needed where no hash of the whole will tell. */
export function isSame(probed: Probed, answer: Answer): boolean {
  return probed.digest !== undefined || probed.validator === validatorOf(answer)
}

export function contentRange(
  answer: Answer,
): { start: number; total: number | undefined } | undefined {
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(answer.headers.get('content-range') ?? '')
  if (match === null) return undefined
  return { start: Number(match[1]), total: match[2] === '*' ? undefined : Number(match[2]) }
}

export function contentLength(answer: Answer): number | undefined {
  const value = answer.headers.get('content-length')
  return value === null || !/^\d+$/.test(value) ? undefined : Number(value)
}

function linkedDigest(answer: Answer): Digest | undefined {
  const hex = answer.linkedTag?.replace(/^W\/|"/g, '')
  return hex !== undefined && /^[0-9a-f]{64}$/.test(hex) ? { kind: 'sha256', hex } : undefined
}

function validatorOf(answer: Answer): string | undefined {
  const tag = answer.headers.get('etag')
  if (tag !== null && !tag.startsWith('W/')) return tag
  return answer.headers.get('last-modified') ?? undefined
}
