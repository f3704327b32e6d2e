// Google Cloud Storage by its XML API: https://cloud.google.com/storage/docs/xml-api/reference-headers#xgoogifgenerationmatch
import { Qwen3Error } from '../../errors.ts'
import type { Sign } from './http.ts'
import { encodedKey, ObjectStore, placeOf } from './object-store.ts'
import { listUrl, parseList } from './s3.ts'

const metadataServer = () => process.env.GCE_METADATA_HOST || 'metadata.google.internal'
const tokenPath = '/computeMetadata/v1/instance/service-accounts/default/token'
/** A token is asked for again so long before it ends. */
const marginMs = 120_000

/**
 * `GOOGLE_OAUTH_ACCESS_TOKEN`, or the token of the machine's or pod's service account; `STORAGE_EMULATOR_HOST` says
 * another server. One request takes 5 TB.
 */
export function gcsStore(root: string): ObjectStore {
  const { bucket, prefix } = placeOf(root)
  const host = process.env.STORAGE_EMULATOR_HOST || 'https://storage.googleapis.com'
  const base = `${host.replace(/\/$/, '')}/${bucket}`
  const sign: Sign = async ({ headers }) => ({
    ...headers,
    authorization: `Bearer ${await token()}`,
  })
  return new ObjectStore({
    root,
    prefix,
    sign,
    urlOf: (key) => new URL(`${base}/${encodedKey(key)}`),
    listUrl: listUrl(base),
    parseList,
    ifAbsent: { 'x-goog-if-generation-match': '0' },
    exists: (status) => status === 412,
    digestHeader: 'x-goog-meta-sha256',
  })
}

let held: { token: string; until: number } | undefined

async function token(): Promise<string> {
  const given = process.env.GOOGLE_OAUTH_ACCESS_TOKEN
  if (given) return given
  if (held && held.until > Date.now()) return held.token
  const answer = await fetch(`http://${metadataServer()}${tokenPath}`, {
    headers: { 'metadata-flavor': 'Google' },
    signal: AbortSignal.timeout(5_000),
  })
    .then((response) => response.json() as Promise<{ access_token: string; expires_in: number }>)
    .catch((cause: Error) => {
      throw new Qwen3Error(
        'ERR_STORE',
        `No token for Google Cloud Storage: ${cause.message}`,
        {},
        {
          remedy:
            'Set GOOGLE_OAUTH_ACCESS_TOKEN (gcloud auth print-access-token), or give the machine a service account.',
          cause,
        },
      )
    })
  held = {
    token: answer.access_token,
    until: Date.now() + answer.expires_in * 1000 - marginMs,
  }
  return held.token
}
