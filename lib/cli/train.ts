import { train as fineTune, type TrainOptions } from '../train/index.ts'
import { type Arguments, given } from './arguments.ts'
import { type Command, remark, type Session } from './command.ts'
import { findModel } from './load.ts'
import { Misuse } from './misuse.ts'
import { print, printJson } from './print.ts'
import { Bars, notBetter, told } from './trained.ts'

export const train: Command = {
  name: 'train',
  summary: 'fine-tune an adapter on your own queries and answers, and say whether it is better',
  usage: ['ROWS.jsonl -o FILE --dev DATASET [OPTIONS]'],
  about: [
    'ROWS holds {"query": "…", "positive": "…", "negatives": ["…"]}, one a line; negatives may be missing. The result is ' +
      'an adapter (LoRA) as a GGUF file, for --adapter and for llama.cpp.',
    'DATASET is judged before and after, as by eval run. Unless the difference is more than chance the adapter is not ' +
      'written, and the exit code is 3. Judge by real queries, fifty at least: made-up ones flatter.',
    'A reranker learns from the same rows, which need negatives then, and is judged by the order it gives to the best ' +
      'documents that --first-stage finds.',
    'With --sides query documents keep their vectors, and an index that exists stays valid. After Ctrl-C, a kill or a ' +
      'power cut the same command goes on, and ends with the same file.',
  ],
  options: {
    model: { value: 'NAME', short: 'm', help: 'the model to train; default: QWEN3_EMBED_MODEL' },
    output: { value: 'FILE', short: 'o', help: 'the adapter' },
    dev: {
      value: 'DATASET',
      help: 'what says whether it is better: a folder, a file, or handbook',
    },
    guard: { value: 'DATASET', help: 'another task, that shows what was forgotten' },
    'first-stage': {
      value: 'NAME',
      help: 'of a reranker: the model that finds what is judged; default: the bundled one',
    },
    top: { value: 'N', help: 'of a reranker: documents a query that are judged; default: 100' },
    sides: {
      value: 'SIDES',
      choices: ['both', 'query'],
      help: 'both, or query alone; default: both',
    },
    instruction: { value: 'TEXT', help: "what queries are for; default: Qwen's web search one" },
    rank: { value: 'N', help: 'of the adapter; default: 16' },
    layers: { value: 'N', help: 'train the last N layers only' },
    'learning-rate': { value: 'X', help: 'default: 1e-4, or 1e-3 for models less than 512 wide' },
    batch: { value: 'N', help: 'examples contrasted with each other; default: 64' },
    epochs: { value: 'N', help: 'how often every row is seen; default: 2' },
    temperature: { value: 'X', help: 'of the softmax over cosines; default: 0.03' },
    dimensions: { value: 'N,…', short: 'd', help: 'leading dimensions that must do alone' },
    'max-tokens': { value: 'N', help: 'cut longer texts; default: 512' },
    precision: { value: 'NAME', choices: ['int8', 'float'], help: 'of products; default: int8' },
    seed: { value: 'N', help: 'of all that is drawn; default: 1' },
    threads: { value: 'N', help: 'default: the physical cores' },
    minutes: { value: 'N', help: 'stop after so many with what is best by then' },
    'cache-dir': { value: 'FOLDER', help: 'where vectors are kept; default: QWEN3_EMBED_CACHE' },
    restart: { help: 'start anew where an unfinished training stands' },
    'keep-anyway': { help: 'write the adapter though it is not shown to be better' },
    json: { help: 'the result as JSON' },
  },
  examples: [
    [
      'qwen3-embed train pairs.jsonl -m qwen3-embedding-0.6b -o mine.gguf --dev ./my-questions',
      'both sides',
    ],
    [
      'qwen3-embed train triples.jsonl -m qwen3-reranker-0.6b -o rank.gguf --dev ./my-questions',
      'a reranker',
    ],
    [
      'qwen3-embed train pairs.jsonl -m qwen3-embedding-0.6b -o mine.gguf --dev ./my-questions --sides query',
      'queries alone: the index stays',
    ],
  ],

  async run(args, session) {
    const options = await readOptions(args, session)
    const progress = new Bars(session)
    try {
      const result = await fineTune({ ...options, onProgress: progress.follow })
      progress.end()
      if (args.has('json')) await printJson(result)
      else await print(told(result))
      return result.adopted === false && result.adapter === null ? notBetter : true
    } finally {
      progress.end()
    }
  },
}

async function readOptions(args: Arguments, session: Session): Promise<TrainOptions> {
  const data = args.single('file of rows')
  const output = args.text('output')
  if (data === undefined) throw new Misuse('Expected a file of rows, one JSON object a line')
  if (output === undefined) throw new Misuse('Expected --output FILE: where the adapter goes')
  if (args.text('dev') === undefined)
    remark(session, 'note: without --dev nobody says whether the adapter is better')
  const { bundled, paths } = await findModel(args.text('model'), session)
  const first = args.text('first-stage')
  const firstStage = first === undefined ? undefined : (await findModel(first, session)).paths[0]!
  const options = {
    dev: args.text('dev'),
    guard: args.text('guard'),
    firstStage,
    top: args.integer('top', 1),
    sides: args.text('sides'),
    instruction: args.text('instruction'),
    rank: args.integer('rank', 1, 256),
    layers: args.integer('layers', 1),
    learningRate: decimal(args, 'learning-rate'),
    batch: args.integer('batch', 1),
    epochs: args.integer('epochs', 1),
    temperature: decimal(args, 'temperature'),
    dims: args.text('dimensions')?.split(',').map(Number),
    maxTokens: args.integer('max-tokens', 8),
    precision: args.text('precision'),
    seed: args.integer('seed', 0),
    threads: args.integer('threads', 1, 512),
    minutes: args.number('minutes', 0.001),
    cacheDir: args.text('cache-dir'),
    restart: args.has('restart'),
    keepAnyway: args.has('keep-anyway'),
  }
  return {
    ...(given(options) as Partial<TrainOptions>),
    model: bundled ? 'mini' : paths[0]!,
    data,
    output,
    signal: session.signal,
  }
}

/** Also as 1e-4. */
function decimal(args: Arguments, name: string): number | undefined {
  const text = args.text(name)
  if (text === undefined) return undefined
  const value = /^\d*\.?\d+(e-?\d+)?$/i.test(text) ? Number(text) : Number.NaN
  if (value > 0) return value
  throw new Misuse(`--${name} takes a number above 0, such as 1e-4, not ${JSON.stringify(text)}`)
}
