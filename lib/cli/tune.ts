import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { mine } from '../mine/index.ts'
import { synth } from '../synth/index.ts'
import { train } from '../train/index.ts'
import { type Arguments, given } from './arguments.ts'
import { type Command, remark, type Session } from './command.ts'
import { findModel } from './load.ts'
import { Misuse } from './misuse.ts'
import { print, printJson } from './print.ts'
import { Bars, notBetter, told } from './trained.ts'

export const tune: Command = {
  name: 'tune',
  summary: 'a folder of Markdown to an adapter, if it is better: synth, mine and train in one',
  usage: ['FOLDER -o FILE [--dev DATASET] [OPTIONS]'],
  about: [
    'Headings become queries for what stands below them, texts that only look like answers are found for each, an ' +
      'adapter is trained, and documents that were set aside say whether it is better. If not, it is not written, and ' +
      'the exit code is 3.',
    'Made-up queries flatter: with --dev real questions judge in their place, fifty at least, and nothing is set aside.',
    'What is made on the way stays in FILE.tune, to be looked at. After Ctrl-C, a kill or a power cut the same command ' +
      'goes on. For settings of a step, and for rerankers, run them one by one: synth, mine, train.',
  ],
  options: {
    model: { value: 'NAME', short: 'm', help: 'the model to train; default: QWEN3_EMBED_MODEL' },
    output: { value: 'FILE', short: 'o', help: 'the adapter' },
    dev: { value: 'DATASET', help: 'what says whether it is better; default: what is set aside' },
    guard: { value: 'DATASET', help: 'another task, that shows what was forgotten' },
    sides: {
      value: 'SIDES',
      choices: ['both', 'query'],
      help: 'both, or query alone, which keeps an index valid; default: both',
    },
    instruction: { value: 'TEXT', help: "what queries are for; default: Qwen's web search one" },
    epochs: { value: 'N', help: 'how often every row is seen; default: 2' },
    minutes: { value: 'N', help: 'stop to train after so many with what is best by then' },
    seed: { value: 'N', help: 'of all that is drawn; default: 1' },
    threads: { value: 'N', help: 'default: the physical cores' },
    'cache-dir': { value: 'FOLDER', help: 'where vectors are kept; default: QWEN3_EMBED_CACHE' },
    restart: { help: 'start anew where an unfinished training stands' },
    'keep-anyway': { help: 'write the adapter though it is not shown to be better' },
    json: { help: 'the result as JSON' },
  },
  examples: [
    ['qwen3-embed tune ./docs -o mine.gguf', 'the bundled model, judged by documents set aside'],
    [
      'qwen3-embed tune ./docs -m qwen3-embedding-0.6b -o mine.gguf --dev ./my-questions --sides query',
      'judged by real questions; the index stays',
    ],
  ],

  async run(args, session) {
    const documents = args.single('folder of Markdown')
    const output = args.text('output')
    if (documents === undefined) throw new Misuse('Expected a folder of Markdown files')
    if (output === undefined) throw new Misuse('Expected --output FILE: where the adapter goes')
    const { bundled, paths } = await findModel(args.text('model'), session)
    const bars = new Bars(session)
    const common = {
      ...given({
        instruction: args.text('instruction'),
        seed: args.integer('seed', 0),
        cacheDir: args.text('cache-dir'),
      }),
      model: bundled ? 'mini' : paths[0]!,
      signal: session.signal,
      onProgress: bars.follow,
    }
    try {
      const made = await rowsOf(documents, `${output}.tune`, args, common, session)
      const result = await train({
        ...common,
        ...given({
          guard: args.text('guard'),
          sides: args.text('sides') as 'both' | 'query' | undefined,
          epochs: args.integer('epochs', 1),
          minutes: args.number('minutes', 0.001),
          threads: args.integer('threads', 1, 512),
        }),
        data: made.rows,
        dev: made.dev,
        output,
        restart: args.has('restart'),
        keepAnyway: args.has('keep-anyway'),
      })
      bars.end()
      if (args.has('json')) await printJson(result)
      else await print(told(result))
      return result.adopted === false && result.adapter === null ? notBetter : true
    } finally {
      bars.end()
    }
  },
}

/** Files of rows to learn from, and of what judges. */
async function rowsOf(
  documents: string,
  folder: string,
  args: Arguments,
  common: { model: string; onProgress: Bars['follow'] },
  session: Session,
): Promise<{ rows: string; dev: string }> {
  await mkdir(folder, { recursive: true })
  const [pairs, triples] = [join(folder, 'pairs.jsonl'), join(folder, 'triples.jsonl')]
  const real = args.text('dev')
  const aside = join(folder, 'held-out')
  const { rows, heldOut } = await synth({
    ...common,
    documents,
    output: pairs,
    ...(real === undefined ? { heldOut: aside } : {}),
  })
  remark(session, `${rows.length} queries to learn from, ${heldOut.length} set aside: ${folder}`)
  const { report } = await mine({ ...common, data: pairs, output: triples })
  remark(session, `${report.negatives} wrong answers found for ${report.queries} queries`)
  if (real === undefined)
    remark(
      session,
      'note: judged by headings of documents set aside; real questions (--dev) tell more',
    )
  return { rows: triples, dev: real ?? aside }
}
