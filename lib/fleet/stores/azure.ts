// Azure Blob Storage by a shared access signature: https://learn.microsoft.com/rest/api/storageservices/put-blob
import { Qwen3Error } from '../../errors.ts'
import type { Sign } from './http.ts'
import { element, elements, encoded, encodedKey, ObjectStore, placeOf } from './object-store.ts'

/** Of the API. One request takes 5,000 MiB since 2019-12-12. */
const version = '2021-08-06'

/**
 * `az://account/container/prefix`; `AZURE_STORAGE_SAS_TOKEN` must allow read, create, list and delete;
 * `AZURE_STORAGE_BLOB_ENDPOINT` says another server than the account's.
 */
export function azureStore(root: string): ObjectStore {
  const { bucket: account, prefix: path } = placeOf(root)
  const [container = '', ...rest] = path.split('/')
  const host = process.env.AZURE_STORAGE_BLOB_ENDPOINT || `https://${account}.blob.core.windows.net`
  const base = `${host.replace(/\/$/, '')}/${container}`
  const signed = (url: string) => {
    const sas = process.env.AZURE_STORAGE_SAS_TOKEN?.replace(/^\?/, '')
    if (!sas)
      throw new Qwen3Error(
        'ERR_STORE',
        'Expected AZURE_STORAGE_SAS_TOKEN in the environment',
        {},
        { remedy: 'az storage container generate-sas --permissions rcld makes one.' },
      )
    return new URL(`${url}${url.includes('?') ? '&' : '?'}${sas}`)
  }
  const sign: Sign = async ({ method, headers }) => ({
    ...headers,
    'x-ms-version': version,
    ...(method === 'PUT' ? { 'x-ms-blob-type': 'BlockBlob' } : {}),
  })
  return new ObjectStore({
    root,
    prefix: rest.join('/'),
    sign,
    urlOf: (key) => signed(`${base}/${encodedKey(key)}`),
    listUrl: (prefix, next) => {
      const more = next === undefined ? '' : `&marker=${encoded(next)}`
      return signed(`${base}?restype=container&comp=list&prefix=${encoded(prefix)}${more}`)
    },
    parseList: (xml) => ({
      items: elements(xml, 'Blob').map((one) => ({
        key: element(one, 'Name') ?? '',
        size: Number(element(one, 'Content-Length')),
        etag: element(one, 'Etag') ?? '',
      })),
      next: element(xml, 'NextMarker'),
    }),
    ifAbsent: { 'if-none-match': '*' },
    // BlobAlreadyExists; other conflicts, as with a lease, do not pass either.
    exists: () => true,
    digestHeader: 'x-ms-meta-sha256',
  })
}
