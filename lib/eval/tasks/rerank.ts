// The second of two stages. Scores go to a file query by query, so that a run that was killed goes on.
import { createHash } from 'node:crypto'
import { appendFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Reranker } from '../../index.ts'
import { compareBytes } from '../metrics/order.ts'
import type { RetrievalData } from '../read/dataset.ts'
import { linesOf } from '../read/lines.ts'
import { Remarks } from '../read/remarks.ts'
import { type Context, shortened } from './context.ts'
import type { Ranked } from './retrieval.ts'

/** The best of each query by P(yes); what the first stage ranked below them is lost. */
export async function rerankAll(
  data: RetrievalData,
  found: Ranked,
  reranker: Reranker,
  context: Context,
): Promise<Ranked> {
  const { top, signal, onProgress, remarks } = context
  const shortlists = new Map(
    [...found].map(([query, list]) => [query, list.slice(0, top).map(([id]) => id)]),
  )
  const texts = await textsOf(data, new Set([...shortlists.values()].flat()), context)
  const known = await Kept.open(context, reranker)
  const reranked: Ranked = new Map()
  for (const { id, text } of data.queries) {
    const ids = shortlists.get(id) ?? []
    const documents = ids.map((document) => texts.get(document)!)
    const scores = await known.scores(text, documents, async () => {
      const outcomes = await reranker.scoreEach(
        documents.map((document) => [text, document]),
        {
          truncate: 'end',
          priority: 'bulk',
          ...(signal ? { signal } : {}),
          ...instruction(context),
        },
      )
      const failed = outcomes.find(({ error }) => error)
      if (failed) throw failed.error
      return {
        scores: outcomes.map(({ score }) => score!),
        cut: outcomes.filter(({ cut }) => cut > 0).length,
      }
    })
    if (scores.cut > 0)
      remarks.add(
        'cut-document',
        'documents were longer than the reranker takes and lost their ends',
        id,
        scores.cut,
      )
    const list = ids.map((document, i) => [document, scores.scores[i]!] as const)
    reranked.set(
      id,
      list.sort(([a, x], [b, y]) => y - x || compareBytes(b, a)),
    )
    onProgress?.({ step: 'rerank', done: reranked.size, total: data.queries.length })
  }
  return reranked
}

function instruction({ prompts }: Context) {
  return prompts.instruction === '' ? {} : { instruction: prompts.instruction }
}

async function textsOf(data: RetrievalData, wanted: ReadonlySet<string>, { maxChars }: Context) {
  const texts = new Map<string, string>()
  for await (const { id, text } of data.documents())
    if (wanted.has(id)) texts.set(id, shortened(text, maxChars))
  return texts
}

interface Scored {
  scores: number[]
  cut: number
}

class Kept {
  readonly #path: string
  readonly #known: ReadonlyMap<string, Scored>

  private constructor(path: string, known: ReadonlyMap<string, Scored>) {
    this.#path = path
    this.#known = known
  }

  static async open(context: Context, reranker: Reranker): Promise<Kept> {
    const { fingerprint, maxTokens } = reranker.info
    const key = digest(JSON.stringify([fingerprint, maxTokens, context.prompts.instruction]))
    await mkdir(context.folder, { recursive: true })
    const path = join(context.folder, `${key}.rerank.jsonl`)
    const known = new Map<string, Scored>()
    const lines = linesOf(path, new Remarks())
    try {
      for await (const some of lines) for (const line of some) keep(line, known)
    } catch {
      // Nothing was kept before.
    }
    return new Kept(path, known)
  }

  async scores(
    query: string,
    documents: readonly string[],
    compute: () => Promise<Scored>,
  ): Promise<Scored> {
    const key = digest(JSON.stringify([query, documents]))
    const known = this.#known.get(key)
    if (known) return known
    const scored = await compute()
    // A line that a kill cut in two is no JSON and is made again.
    await appendFile(this.#path, `\n${JSON.stringify({ key, ...scored })}\n`)
    return scored
  }
}

function keep(line: string, known: Map<string, Scored>) {
  if (line === '') return
  try {
    const { key, scores, cut } = JSON.parse(line) as Scored & { key: string }
    known.set(key, { scores, cut })
  } catch {
    // Cut in two by a kill.
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}
