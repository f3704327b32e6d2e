import { type RankedDocument, Reranker, type TopOptions } from '../index.ts'
import type { Arguments } from './arguments.ts'
import type { Command, Session } from './command.ts'
import { defaultOf } from './defaults.ts'
import { inputOptions, openInput, readAll } from './input.ts'
import { findModel, load, loadOptions } from './load.ts'
import { Misuse } from './misuse.ts'
import { print, printJson } from './print.ts'
import { Progress } from './progress.ts'
import { columns, oneLine } from './terminal.ts'

const formats = ['text', 'json', 'jsonl'] as const
type Format = (typeof formats)[number]

export const rerank: Command = {
  name: 'rerank',
  summary: 'order documents by how well they answer a query',
  usage: [
    '--query TEXT --model NAME [OPTIONS] DOCUMENT…',
    '--query TEXT --model NAME [OPTIONS] --input FILE',
    '--query TEXT --model NAME [OPTIONS] < LINES',
  ],
  about: [
    'Best first. Scores are P(yes) from 0 to 1: what the model answers when asked whether the document meets the ' +
      'query. It needs a reranker; the bundled model is none.',
  ],
  options: {
    query: { value: 'TEXT', help: 'the question (required)' },
    top: { value: 'N', short: 'n', help: 'show the best N; default: all' },
    instruction: {
      value: 'TEXT',
      help: "what counts as an answer; default: Qwen3's web search one",
    },
    logit: { help: 'scores as logit(yes) - logit(no), which does not flatten near 0 and 1' },
    truncate: {
      value: 'WHERE',
      choices: ['error', 'end'],
      help: 'a document that is too long: an error, or cut its end; default: error',
    },
    ...inputOptions,
    format: {
      value: 'FORMAT',
      short: 'f',
      choices: formats,
      help: 'text, json or jsonl; default: text',
    },
    ...loadOptions,
  },
  examples: [
    [
      'qwen3-embed rerank -m qwen3-reranker-0.6b --query "Which planet is red?" "Venus is hot." "Mars is red."',
      'two documents',
    ],
    [
      'qwen3-embed rerank -m qwen3-reranker-0.6b --query "refund policy" -i found.jsonl --top 3 --json',
      'the best three of a file',
    ],
  ],

  async run(args, session) {
    const query = args.text('query')
    const standing = args.text('model') === undefined ? defaultOf('reranker') : undefined
    const model = args.text('model') ?? standing?.name
    const format = formatOf(args)
    if (query === undefined) throw new Misuse('Expected --query TEXT: what to rank by')
    if (model === undefined) {
      throw new Misuse(
        'Expected --model with a reranker, such as --model qwen3-reranker-0.6b (639 MB, fetched once), or QWEN3_EMBED_RERANKER; the ' +
          'bundled model only embeds',
      )
    }
    const options = readOptions(args)
    const input = openInput(args, args.positionals, session)
    const reranker = await load(Reranker, await findModel(model, session), args, session)
    try {
      const documents = await readAll(input)
      const ranked = await rank(reranker, query, documents, options, session)
      await show(ranked, documents, format)
    } finally {
      await reranker.close()
    }
    return true
  },
}

async function rank(
  reranker: Reranker,
  query: string,
  documents: string[],
  options: TopOptions,
  session: Session,
): Promise<RankedDocument[]> {
  const progress = new Progress('rerank', session)
  try {
    return await reranker.rank(query, documents, {
      ...options,
      signal: session.signal,
      onProgress: progress.follow,
    })
  } finally {
    progress.end()
  }
}

async function show(ranked: RankedDocument[], documents: readonly string[], format: Format) {
  const results = ranked.map((one) => ({ ...one, text: documents[one.index]! }))
  if (format === 'json') return printJson(results)
  if (format === 'jsonl') {
    for (const result of results) await print(`${JSON.stringify(result)}\n`)
    return
  }
  const room = process.stdout.isTTY ? Math.max(30, (process.stdout.columns || 80) - 20) : 1_000
  await print(
    columns(
      results.map(({ index, score, text }) => [score.toFixed(4), `#${index}`, oneLine(text, room)]),
      [0, 1],
    ),
  )
}

function formatOf(args: Arguments): Format {
  const named = formats.find((format) => format === args.text('format'))
  if (named && args.has('json') && named !== 'json') {
    throw new Misuse(`--json and --format ${named} contradict each other`)
  }
  return named ?? (args.has('json') ? 'json' : 'text')
}

function readOptions(args: Arguments): TopOptions {
  const topN = args.integer('top', 1)
  const instruction = args.text('instruction')
  return {
    truncate: args.text('truncate') === 'end' ? 'end' : 'error',
    output: args.has('logit') ? 'logit' : 'probability',
    topN,
    instruction,
  }
}
