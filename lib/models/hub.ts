import { Qwen3Error } from '../errors.ts'
import type { Digest } from './digest.ts'
import { type Access, type Answer, request, show } from './http.ts'
import { isSafePath } from './name.ts'
import { withRetries } from './retry.ts'
import { httpError } from './http-error.ts'

/** A file of a repository, as the hub lists it. */
export interface RemoteFile {
  readonly path: string
  readonly size: number | undefined
  readonly digest: Digest | undefined
}

/** The state of a repository at a revision. */
export interface Listing {
  /** The commit the revision stood for when it was asked. */
  readonly commit: string
  readonly files: readonly RemoteFile[]
}

const longestListing = 32 * 1024 * 1024

/** Lists a repository with the sizes and hashes of its large files. */
export async function listRepository(
  repo: string,
  revision: string,
  access: Access,
): Promise<Listing> {
  const url = `${access.endpoint}/api/models/${repo}/revision/${encodeURIComponent(revision)}?blobs=true`
  const text = await withRetries(
    access,
    () => 0,
    async () => {
      const answer = await request(url, access, { accept: 'application/json' })
      if (answer.status === 200) return read(answer)
      throw await httpError(answer, `${repo} at ${revision}`, access)
    },
  )
  const listing = parse(text)
  if (listing !== undefined) return listing
  throw new Qwen3Error(
    'ERR_DOWNLOAD',
    `${show(url)} did not answer as a Hugging Face hub does`,
    { url: show(url) },
    { remedy: 'Check HF_ENDPOINT, and whether the network asks you to sign in.' },
  )
}

/** Where the bytes of a file are. A commit instead of a branch makes it the same file every time. */
export function fileUrl(endpoint: string, repo: string, revision: string, path: string): string {
  const encoded = path.split('/').map(encodeURIComponent).join('/')
  return `${endpoint}/${repo}/resolve/${encodeURIComponent(revision)}/${encoded}`
}

async function read(answer: Answer): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of answer.chunks()) {
    chunks.push(chunk)
    length += chunk.length
    if (length > longestListing) break
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Undefined unless it is what the hub's API answers. Everything in it becomes part of paths. */
function parse(text: string): Listing | undefined {
  let body: { sha?: unknown; siblings?: unknown } | null
  try {
    body = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof body !== 'object' || body === null || !Array.isArray(body.siblings)) return undefined
  if (typeof body.sha !== 'string' || !/^[0-9a-f]{40}$/.test(body.sha)) return undefined
  return { commit: body.sha, files: body.siblings.flatMap(fileFrom) }
}

function fileFrom(entry: {
  rfilename?: unknown
  size?: unknown
  blobId?: unknown
  lfs?: { sha256?: unknown; oid?: unknown; size?: unknown }
}): RemoteFile[] {
  const path = entry?.rfilename
  if (typeof path !== 'string' || !isSafePath(path)) return []
  const size = Number(entry.lfs?.size ?? entry.size)
  return [{ path, size: Number.isSafeInteger(size) ? size : undefined, digest: digestFrom(entry) }]
}

function digestFrom(entry: {
  blobId?: unknown
  lfs?: { sha256?: unknown; oid?: unknown }
}): Digest | undefined {
  const sha256 = entry.lfs?.sha256 ?? entry.lfs?.oid
  if (typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256)) {
    return { kind: 'sha256', hex: sha256 }
  }
  // The git object of an LFS file is its pointer, so it says nothing about the file's own bytes.
  if (entry.lfs != null) return undefined
  const blob = entry.blobId
  return typeof blob === 'string' && /^[0-9a-f]{40}$/.test(blob)
    ? { kind: 'git', hex: blob }
    : undefined
}
