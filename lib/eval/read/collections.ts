// Collections known by name: one of ours that travels with the package, and others that are fetched and converted.
import { stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { cacheFolder } from '../places.ts'
import { wrongData } from './remarks.ts'

interface Collection {
  name: string
  what: string
  licence: string
  /** It travels with the package. */
  bundled: boolean
}

export const collections: readonly Collection[] = [
  {
    name: 'handbook',
    what: '50 questions with their answers among 60 passages of the handbook of an invented shop',
    licence: 'MIT, written for this package',
    bundled: true,
  },
  {
    name: 'cranfield',
    what: '225 questions and 1,400 abstracts on aerodynamics, 1960s',
    licence: 'none stated: for your own use',
    bundled: false,
  },
  {
    name: 'stsbenchmark',
    what: '1,379 English sentence pairs with their similarity',
    licence: 'scores CC BY-SA 4.0, sentences of several sources: for research',
    bundled: false,
  },
]

/** Where a collection lies. Undefined if the name is none. @throws Qwen3Error `ERR_DATASET` if it was not fetched. */
export async function collectionFolder(name: string): Promise<string | undefined> {
  const collection = collections.find((one) => one.name === name)
  if (!collection) return undefined
  if (collection.bundled)
    return fileURLToPath(new URL(`../../../lib/eval/collections/${name}`, import.meta.url))
  const folder = cacheFolder('collections', name)
  if (await stat(folder).catch(() => undefined)) return folder
  // A folder of that name in front of the user is meant, if there is one.
  if (await stat(name).catch(() => undefined)) return undefined
  throw wrongData(`${name} has not been fetched: qwen3-embed eval pull ${name} does it once`, {
    dataset: name,
  })
}
