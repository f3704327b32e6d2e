import { search as nearestOf } from '../index.ts'
import type { Arguments } from './arguments.ts'
import type { Command, Session } from './command.ts'
import { inputOptions, isPiped, openInput, readAll } from './input.ts'
import { loadEmbedder, loadOptions } from './load.ts'
import { Misuse } from './misuse.ts'
import { chosenIndex, likelyIndex } from './index/which.ts'
import { searchEval } from './search-eval.ts'
import { searchIndex, searchIndexOptions } from './search-index.ts'
import { print, printJson } from './print.ts'
import { Progress } from './progress.ts'
import { questions, sentences } from './sentences.ts'
import { bar, columns, oneLine, painter } from './terminal.ts'

interface Hit {
  index: number
  score: number
  text: string
}

const barWidth = 20

export const search: Command = {
  name: 'search',
  summary: 'find what answers a question: in your indexed files, or in texts you give',
  usage: [
    '[QUERY] [OPTIONS]',
    'QUERY [OPTIONS] TEXT…',
    'QUERY [OPTIONS] --input FILE',
    'QUERY [OPTIONS] < LINES',
  ],
  about: [
    'Without texts it looks through the index of this folder (qwen3-embed index), by words and by meaning. "A phrase" in ' +
      'quotes must occur, -word must not. Where the model is slow to load, the bundled one stands in; --wait waits for it. ' +
      'Exit code 1 if nothing is found.',
    'With texts it embeds them all anew, and scores are cosines: they rank within one search and one model, and say ' +
      'little across models. Without texts and without an index it looks through thirty sentences of its own; without a ' +
      'query it asks three.',
  ],
  options: {
    top: { value: 'N', short: 'n', help: 'show the best N; default: 5, of an index 10' },
    ...searchIndexOptions,
    instruction: { value: 'TEXT', help: "what the query is for; default: Qwen3's web search one" },
    dimensions: { value: 'N', short: 'd', help: 'compare the first N dimensions only' },
    ...inputOptions,
    ...loadOptions,
  },
  examples: [
    ['qwen3-embed search "how do I get my money back"', 'offline: in your index, or a first look'],
    ['qwen3-embed search "retry after timeout" --type code --in "lib/**"', 'in code only'],
    ['qwen3-embed search "late deliveries" --input tickets.txt --top 3', 'lines of a file'],
    ['git log --format=%s | qwen3-embed search "fix memory leak"', 'lines of a pipe'],
  ],

  async run(args, session) {
    const [query, ...given] = args.positionals
    const top = args.integer('top', 1) ?? 5
    const judged = args.text('eval')
    if (judged !== undefined) {
      if (query !== undefined) throw new Misuse('--eval asks the queries of its folder, no other')
      return searchEval(judged, await chosenIndex(args.text('index')), args, session)
    }
    const isTold = given.length > 0 || args.text('input') !== undefined
    const isOwn = !isTold && !(query !== undefined && (await isPiped()))
    const index = isOwn && query !== undefined ? await likelyIndex(args.text('index')) : undefined
    if (index) return searchIndex(query!, index, args, session)
    refuseIndexOptions(args)
    const texts = isOwn ? sentences : await readAll(openInput(args, given, session))
    if (texts.length === 0) {
      throw new Misuse(
        'There are no texts to look through: give some as arguments, with --input or by a pipe',
      )
    }
    const queries = query === undefined ? questions : [query]
    const found = await nearest(queries, texts, top, args, session)
    if (args.has('json')) {
      const results = queries.map((text, i) => ({ query: text, results: found[i]! }))
      await printJson(query === undefined ? results : results[0])
      return true
    }
    const paint = painter(process.stdout)
    for (const [i, hits] of found.entries()) {
      if (query === undefined) await print(`${paint('bold', queries[i]!)}\n`)
      await print(shown(hits))
      if (i + 1 < found.length) await print('\n')
    }
    return true
  },
}

/** They would do nothing without an index. */
function refuseIndexOptions(args: Arguments): void {
  const given = Object.keys(searchIndexOptions).filter(
    (name) => args.has(name) || args.text(name) !== undefined,
  )
  if (given.length > 0)
    throw new Misuse(
      `--${given[0]} is for searching an index: qwen3-embed index FOLDER makes one, --index NAME says which`,
    )
}

async function nearest(
  queries: readonly string[],
  texts: readonly string[],
  top: number,
  args: Arguments,
  session: Session,
): Promise<Hit[][]> {
  const dimensions = args.integer('dimensions', 1)
  const instruction = args.text('instruction')
  const embedder = await loadEmbedder(args, session)
  const progress = new Progress('embed', session)
  try {
    const { signal } = session
    const [questionVectors, vectors] = await Promise.all([
      embedder.embedQueries(queries, { signal, dimensions, instruction }),
      embedder.embedDocuments(texts, {
        signal,
        dimensions,
        truncate: 'end',
        onProgress: progress.follow,
      }),
    ])
    return questionVectors.map((question) =>
      nearestOf(question, vectors, top).map((found) => ({ ...found, text: texts[found.index]! })),
    )
  } finally {
    progress.end()
    await embedder.close()
  }
}

function shown(hits: readonly Hit[]): string {
  const paint = painter(process.stdout)
  const room = Math.max(30, (process.stdout.columns || 100) - barWidth - 10)
  return columns(
    hits.map(({ score, text }) => [
      score.toFixed(2),
      paint('green', bar(score, barWidth)),
      oneLine(text, process.stdout.isTTY ? room : 1_000),
    ]),
    [0],
  )
}
