// The reranker's word on the best passages, as many as it can read in the time there is.
import type { Reranker } from '../index.ts'
import type { Hit } from './types.ts'

const fewest = 4
const most = 50

export interface RerankOptions {
  readonly instruction?: string | undefined
  /** Milliseconds. */
  readonly patience: number
  readonly signal?: AbortSignal | undefined
}

/** The read ones by P(yes), then the others as they were. */
export async function reranked(
  reranker: Reranker,
  query: string,
  hits: readonly Hit[],
  { instruction, patience, signal }: RerankOptions,
): Promise<Hit[]> {
  const begun = performance.now()
  const read: Hit[] = []
  const rest = hits.slice(0, most)
  // The first few tell how many more there is time for.
  for (let count = fewest; rest.length > 0 && count > 0; ) {
    const part = rest.splice(0, count)
    const documents = part.map(({ head, text }) => (head === '' ? text : `${head}\n${text}`))
    const ranked = await reranker.rank(query, documents, { instruction, truncate: 'end', signal })
    for (const { index, score } of ranked) read.push({ ...part[index]!, relevance: score })
    const spent = performance.now() - begun
    count = Math.floor((read.length * (patience - spent)) / Math.max(spent, 1))
  }
  read.sort((a, b) => b.relevance! - a.relevance! || b.score - a.score)
  return [...read, ...hits.slice(read.length)]
}
