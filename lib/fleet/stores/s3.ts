// Amazon S3, and what speaks as it does: MinIO, Ceph, R2. Conditional writes are asked for: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
import { createHash } from 'node:crypto'
import { credentials } from './credentials.ts'
import { sha256Of } from './draft.ts'
import { type Ask, drop, refused, type Sign, textOf } from './http.ts'
import {
  type Dialect,
  element,
  elements,
  encoded,
  encodedKey,
  ObjectStore,
  placeOf,
  type Put,
} from './object-store.ts'
import { emptySha256, signed } from './sigv4.ts'

/** One request takes up to 5 GB, but a failed one starts again from its beginning. */
const largeFrom = 64 << 20
/** Of a file in parts: 10,000 are allowed. */
const partBytes = (size: number) => Math.max(16 << 20, Math.ceil(size / 9_000))

/** `AWS_REGION`, `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL` say where; see `credentials.ts` for who. */
export function s3Store(root: string): ObjectStore {
  const { bucket, prefix } = placeOf(root)
  const { AWS_REGION, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL } = process.env
  const region = AWS_REGION || AWS_DEFAULT_REGION || 'us-east-1'
  const endpoint = AWS_ENDPOINT_URL_S3 || AWS_ENDPOINT_URL
  // A bucket's name with dots fits no certificate.
  const base = endpoint
    ? `${endpoint.replace(/\/$/, '')}/${bucket}`
    : bucket.includes('.')
      ? `https://s3.${region}.amazonaws.com/${bucket}`
      : `https://${bucket}.s3.${region}.amazonaws.com`
  const sign: Sign = async ({ method, url, headers, body }) => {
    const sha256 = body?.sha256 ?? emptySha256
    const at = new Date()
    return signed({ method, url, headers, sha256, region, at, credentials: await credentials() })
  }
  return new ObjectStore(s3Dialect({ root, prefix, base, sign }))
}

type Place = Pick<Dialect, 'root' | 'prefix' | 'sign'> & { base: string }

export function s3Dialect({ root, prefix, base, sign }: Place): Dialect {
  return {
    root,
    prefix,
    sign,
    urlOf: (key) => new URL(`${base}/${encodedKey(key)}`),
    listUrl: listUrl(base),
    parseList,
    ifAbsent: { 'if-none-match': '*' },
    // 409 is another writer at this moment.
    exists: (status) => status === 412,
    digestHeader: 'x-amz-meta-sha256',
    large: { from: largeFrom, put: putParts },
  }
}

export const listUrl = (base: string) => (prefix: string, next: string | undefined) => {
  const more = next === undefined ? '' : `continuation-token=${encoded(next)}&`
  return new URL(`${base}/?${more}encoding-type=url&list-type=2&prefix=${encoded(prefix)}`)
}

export function parseList(xml: string): ReturnType<Dialect['parseList']> {
  const items = elements(xml, 'Contents').map((one) => ({
    key: decodeURIComponent((element(one, 'Key') ?? '').replaceAll('+', '%20')),
    size: Number(element(one, 'Size')),
    etag: element(one, 'ETag') ?? '',
  }))
  const isMore = element(xml, 'IsTruncated') === 'true'
  return { items, next: isMore ? element(xml, 'NextContinuationToken') : undefined }
}

const textBody = (text: string): NonNullable<Ask['body']> => ({
  text,
  from: 0,
  to: Buffer.byteLength(text),
  sha256: createHash('sha256').update(text).digest('hex'),
})

async function putParts(
  store: ObjectStore,
  key: string,
  file: string,
  size: number,
  sha256: string,
): Promise<Put> {
  const at = (query: string) => new URL(`${store.dialect.urlOf(key)}?${query}`)
  const digest = { [store.dialect.digestHeader]: sha256 }
  const begun = await store.text({ method: 'POST', url: at('uploads='), headers: digest })
  const upload = `uploadId=${encoded(element(begun, 'UploadId') ?? '')}`
  const drop = () => store.send({ method: 'DELETE', url: at(upload), headers: {} }).then(discard)
  try {
    const etags = await parts(store, at, upload, file, size)
    const list = etags.map(
      (etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${etag}</ETag></Part>`,
    )
    const body = textBody(`<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`)
    const put = await complete(store, key, { url: at(upload), body }, sha256)
    if (put !== 'created') await drop().catch(() => {})
    return put
  } catch (error) {
    // Parts of an upload that nobody ends cost money for ever.
    await drop().catch(() => {})
    throw error
  }
}

async function parts(
  store: ObjectStore,
  at: (query: string) => URL,
  upload: string,
  file: string,
  size: number,
): Promise<string[]> {
  const step = partBytes(size)
  const etags: string[] = []
  for (let from = 0; from < size; from += step) {
    const to = Math.min(size, from + step)
    const body = { file, from, to, sha256: await sha256Of(file, from, to) }
    const url = at(`partNumber=${etags.length + 1}&${upload}`)
    const what: Ask = { method: 'PUT', url, headers: {}, body }
    const answer = await store.send(what)
    if (answer.status >= 300) throw await refused(what, answer)
    drop(answer)
    etags.push(answer.headers.etag ?? '')
  }
  return etags
}

async function complete(
  store: ObjectStore,
  key: string,
  { url, body }: Pick<Ask, 'url' | 'body'>,
  sha256: string,
): Promise<Put> {
  const what: Ask = { method: 'POST', url, headers: store.dialect.ifAbsent, body }
  const answer = await store.send(what)
  if (answer.status === 412) {
    drop(answer)
    return 'exists'
  }
  // Of a conflict the parts are gone.
  if (answer.status === 409) {
    drop(answer)
    return 'again'
  }
  if (answer.status === 404) {
    // Either it was ended by an attempt whose answer was lost, or it is lost itself.
    drop(answer)
    const there = await store.send({ method: 'HEAD', url: store.dialect.urlOf(key), headers: {} })
    drop(there)
    return there.headers[store.dialect.digestHeader] === sha256 ? 'created' : 'again'
  }
  if (answer.status >= 300) throw await refused(what, answer)
  // It may have said 200 before it knew.
  return (await textOf(answer)).includes('<Error>') ? 'again' : 'created'
}

function discard(answer: Parameters<typeof drop>[0]): void {
  drop(answer)
}
