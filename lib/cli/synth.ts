import { synth as make, type SynthOptions } from '../synth/index.ts'
import { type Arguments, given } from './arguments.ts'
import { type Command, remark, type Session } from './command.ts'
import { findModel, loadOptions, readLoadOptions } from './load.ts'
import { Misuse } from './misuse.ts'
import { Progress } from './progress.ts'

const { adapter: _, ...plainLoadOptions } = loadOptions

export const synth: Command = {
  name: 'synth',
  summary: 'make queries for your own documents: rows for train, and a collection to judge by',
  usage: ['FOLDER -o FILE [--held-out FOLDER] [OPTIONS]'],
  about: [
    'Markdown becomes sections, and each heading asks for what stands below it: no model makes anything up. Headings ' +
      'that say nothing (Usage, License) are left out, short ones go with the title.',
    'With --generator FILE a chat model asks instead, here and held to a form, twice a passage: each row says who asked ' +
      'and how. With --endpoint it is one behind an OpenAI-compatible address. What was made is kept: after Ctrl-C, a ' +
      'kill or a fault the same command goes on.',
    'With --held-out some documents are set aside, whole and with all that are nearly the same, as a collection for ' +
      '--dev of train and for eval run.',
  ],
  options: {
    output: { value: 'FILE', short: 'o', help: 'the rows' },
    'held-out': { value: 'FOLDER', help: 'the collection of documents that are set aside' },
    method: {
      value: 'NAME',
      choices: ['headings', 'links', 'docstrings'],
      help: 'without a generator, what asks: a heading, a link of Markdown, a comment of code; default: headings',
    },
    endpoint: { value: 'URL', help: 'who generates queries, such as http://localhost:8080/v1' },
    generator: {
      value: 'FILE',
      help: 'a GGUF of a chat model; with --endpoint its NAME there (key: OPENAI_API_KEY)',
    },
    configuration: {
      value: 'NAME',
      choices: ['asked', 'sampled'],
      help: 'how is asked: the model says so, or it is drawn for half the cost; default: asked',
    },
    language: { value: 'NAME', help: "of generated queries; default: the passage's" },
    concurrency: { value: 'N', help: 'calls at once; default: 8 (16 at most with a FILE)' },
    part: { value: 'X', help: 'of the documents, that are set aside; default: 0.25' },
    'min-cosine': { value: 'X', help: 'least cosine of query and passage, or auto; default: none' },
    'round-trip': { value: 'N', help: 'the passage must be among the first N for its query' },
    'per-passage': { value: 'N', help: 'most queries a passage; default: 2' },
    reranker: { value: 'NAME', short: 'r', help: 'a judge that must say yes' },
    instruction: { value: 'TEXT', help: "what queries are for; default: Qwen's web search one" },
    seed: { value: 'N', help: 'of the split; default: 1' },
    'cache-dir': { value: 'FOLDER', help: 'where vectors are kept; default: QWEN3_EMBED_CACHE' },
    ...plainLoadOptions,
  },
  examples: [
    ['qwen3-embed synth ./docs -o pairs.jsonl --held-out held-out', 'rows, and what judges them'],
    [
      'qwen3-embed synth ./docs -o pairs.jsonl --endpoint http://localhost:8080/v1 --generator qwen3-4b --min-cosine auto',
      'a language model asks',
    ],
    [
      'qwen3-embed synth ./docs -o pairs.jsonl --generator qwen3-1.7b-q4_k_m.gguf --min-cosine auto',
      'one on this machine asks',
    ],
    ['qwen3-embed synth ./docs -o pairs.jsonl --round-trip 3', 'pairs that the model finds itself'],
  ],

  async run(args, session) {
    const documents = args.single('folder of Markdown')
    const output = args.text('output')
    if (documents === undefined) throw new Misuse('Expected a folder of Markdown files')
    if (output === undefined) throw new Misuse('Expected --output FILE: where the rows go')
    const { bundled, paths } = await findModel(args.text('model'), session)
    const reranker = args.text('reranker')
    const judge =
      reranker === undefined ? undefined : (await findModel(reranker, session)).paths[0]!
    const progress = new Progress('synth', session)
    try {
      const made = await make({
        ...optionsOf(args),
        ...(await generatorOf(args, session)),
        documents,
        model: bundled ? 'mini' : paths[0]!,
        output,
        ...(judge === undefined ? {} : { reranker: judge }),
        load: readLoadOptions(args),
        signal: session.signal,
        onProgress: progress.follow,
      })
      progress.end()
      const dropped = Object.entries(made.dropped).filter(([, count]) => count > 0)
      remark(
        session,
        `${made.rows.length} rows of ${made.documents} documents, ${made.heldOut.length} queries held out` +
          (dropped.length === 0
            ? ''
            : `; dropped: ${dropped.map(([reason, count]) => `${reason} ${count}`).join(', ')}`) +
          (made.shortened === 0 ? '' : `; ${made.shortened} passages cut for the model`) +
          (made.minCosine === undefined ? '' : `; least cosine ${made.minCosine.toFixed(3)}`),
      )
      return true
    } finally {
      progress.end()
    }
  },
}

/** Behind an address, a model is called by its name; without one it is a file. */
async function generatorOf(args: Arguments, session: Session): Promise<Partial<SynthOptions>> {
  const url = args.text('endpoint')
  const model = args.text('generator')
  if (url === undefined) {
    const sequences = args.integer('concurrency', 1, 16)
    if (model === undefined) {
      if (sequences !== undefined) throw new Misuse('--concurrency takes a --generator too')
      return {}
    }
    const { paths } = await findModel(model, session)
    return { generator: { model: paths[0]!, sequences, threads: args.integer('threads', 1, 512) } }
  }
  if (model === undefined) throw new Misuse('Expected --endpoint URL and --generator NAME together')
  const concurrency = args.integer('concurrency', 1, 1_024)
  return { endpoint: { url, model, ...(concurrency === undefined ? {} : { concurrency }) } }
}

function optionsOf(args: Arguments): Partial<SynthOptions> {
  const least = args.text('min-cosine')
  return given({
    method: args.text('method'),
    configuration: args.text('configuration'),
    language: args.text('language'),
    heldOut: args.text('held-out'),
    part: args.number('part', 0.01, 0.99),
    minCosine: least === 'auto' ? ('auto' as const) : args.number('min-cosine', 0, 1),
    roundTrip: args.integer('round-trip', 1),
    perPassage: args.integer('per-passage', 1),
    instruction: args.text('instruction'),
    seed: args.integer('seed', 0),
    cacheDir: args.text('cache-dir'),
  }) as Partial<SynthOptions>
}
