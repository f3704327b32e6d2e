import { type MineOptions, mine as find } from '../mine/index.ts'
import { type Arguments, given } from './arguments.ts'
import { type Command, remark } from './command.ts'
import { findModel, loadOptions, readLoadOptions } from './load.ts'
import { Misuse } from './misuse.ts'
import { Progress } from './progress.ts'

const methods = ['percPos', 'marginPos', 'abs', 'shift'] as const
const { adapter: _, ...plainLoadOptions } = loadOptions

export const mine: Command = {
  name: 'mine',
  summary: 'find texts that look like answers and are none, for train',
  usage: ['ROWS.jsonl -o FILE [OPTIONS]'],
  about: [
    'Each row gains the nearest texts of the corpus that are no answer: not a positive, nor one again in other words, ' +
      'nor so near that it may be an answer nobody marked.',
  ],
  options: {
    output: { value: 'FILE', short: 'o', help: 'the rows, completed' },
    corpus: {
      value: 'FILE',
      help: 'texts to look among (jsonl); default: the positives of all rows',
    },
    negatives: { value: 'N', short: 'n', help: 'wrong answers a query; default: 7' },
    range: { value: 'N', help: 'how many of the nearest are looked at; default: 100' },
    method: { value: 'NAME', choices: methods, help: 'what a score must be; default: percPos' },
    threshold: { value: 'X', help: 'of the method; default: 0.95, 0.05, 0.7, 10' },
    random: { help: 'any of those that are left, in place of the nearest' },
    seed: { value: 'N', help: 'of --random; default: 1' },
    reranker: {
      value: 'NAME',
      short: 'r',
      help: 'a judge: what it says yes to is no wrong answer',
    },
    promote: { help: 'make such texts positives' },
    instruction: { value: 'TEXT', help: "what queries are for; default: Qwen's web search one" },
    'cache-dir': { value: 'FOLDER', help: 'where vectors are kept; default: QWEN3_EMBED_CACHE' },
    ...plainLoadOptions,
  },
  examples: [
    ['qwen3-embed mine pairs.jsonl -o triples.jsonl -m qwen3-embedding-0.6b', 'seven a query'],
    [
      'qwen3-embed mine pairs.jsonl -o triples.jsonl -r qwen3-reranker-0.6b --promote',
      'with a judge',
    ],
  ],

  async run(args, session) {
    const data = args.single('file of rows')
    const output = args.text('output')
    if (data === undefined) throw new Misuse('Expected a file of rows, one JSON object a line')
    if (output === undefined) throw new Misuse('Expected --output FILE: where the rows go')
    const { bundled, paths } = await findModel(args.text('model'), session)
    const reranker = args.text('reranker')
    const judge =
      reranker === undefined ? undefined : (await findModel(reranker, session)).paths[0]!
    const progress = new Progress('mine', session)
    try {
      const { report } = await find({
        ...optionsOf(args),
        model: bundled ? 'mini' : paths[0]!,
        data,
        output,
        ...(judge === undefined ? {} : { reranker: judge }),
        load: readLoadOptions(args),
        signal: session.signal,
        onProgress: progress.follow,
      })
      progress.end()
      const { queries, negatives, positiveScore, negativeScore, dropped, few, suspect } = report
      remark(
        session,
        `${negatives} negatives for ${queries} queries; mean cosine ${negativeScore.toFixed(3)}, of positives ${positiveScore.toFixed(3)}\n` +
          `dropped: ${Object.entries(dropped)
            .map(([rule, count]) => `${rule} ${count}`)
            .join(
              ', ',
            )}; ${few} queries got fewer; ${suspect.length} rows have a positive far from their query` +
          (suspect.length > 0 ? ` (first: ${suspect[0]})` : ''),
      )
      return true
    } finally {
      progress.end()
    }
  },
}

function optionsOf(args: Arguments): Partial<MineOptions> {
  return given({
    corpus: args.text('corpus'),
    negatives: args.integer('negatives', 1),
    range: args.integer('range', 1),
    method: methods.find((one) => one === args.text('method')),
    threshold: args.number('threshold', 0),
    pick: args.has('random') ? ('random' as const) : undefined,
    seed: args.integer('seed', 0),
    promote: args.has('promote') || undefined,
    instruction: args.text('instruction'),
    cacheDir: args.text('cache-dir'),
  }) as Partial<MineOptions>
}
