// What is measured of a model on the very passages of an index, once they have its vectors: from which cosine on an
// answer is one, and how much the model may say beside the words.
import type { Embedder } from '../index.ts'
import { floorOf, questions } from './floor.ts'
import type { StoreMethods } from './store/worker.ts'
import type { Thread } from '../thread/thread.ts'
import { fewestProbes, weightOf } from './weight.ts'

export interface Measured {
  readonly store: Thread<StoreMethods>
  readonly space: number
  readonly embedder: Embedder
  readonly signal?: AbortSignal | undefined
}

export async function measure(measured: Measured): Promise<void> {
  const { store, space, embedder, signal } = measured
  const vectors = await embedder.embedQueries(questions, { signal, priority: 'bulk' })
  const cosines = await store.call('bestCosines', [space, vectors.map((one) => one.slice())])
  const weight = await weigh(measured)
  await store.call('setMeasures', [space, { floor: floorOf(cosines), weight }])
}

/** Vectors of probes are kept: after a small change hardly any has to be computed. */
async function weigh({ store, space, embedder, signal }: Measured): Promise<number | null> {
  const probes = await store.call('probes', [space])
  const fresh = probes.filter(({ isKnown }) => !isKnown)
  const options = { signal, priority: 'bulk', truncate: 'end' } as const
  const sentences = await embedder.embedEach(
    fresh.map(({ sentence }) => sentence),
    { role: 'query', ...options },
  )
  const rests = await embedder.embedEach(
    fresh.map(({ rest }) => rest),
    { role: 'document', ...options },
  )
  await store.call('putProbes', [
    space,
    {
      hashes: probes.map(({ hash }) => hash),
      fresh: fresh.flatMap(({ hash }, i) => {
        const [question, rest] = [sentences[i]!.vector, rests[i]!.vector]
        // A text that no vector comes of asks nothing.
        return question && rest ? [{ hash, question: question.slice(), rest: rest.slice() }] : []
      }),
    },
  ])
  const ranks: number[][] = []
  // One at a time: searches pass between.
  for (const { hash } of probes) {
    signal?.throwIfAborted()
    const found = await store.call('probeRanks', [space, hash])
    if (found) ranks.push(found)
  }
  return ranks.length < fewestProbes ? null : weightOf(ranks)
}
