import {
  baselines,
  type EvalProgress,
  type EvaluateOptions,
  evaluate,
  plotsOf,
  type Report,
  reportSvg,
  reportText,
  runLines,
  runSuite,
  type SuiteName,
  type SuiteReport,
  suites,
} from '../../eval/index.ts'
import type { Arguments } from '../arguments.ts'
import { type Command, remark, type Session } from '../command.ts'
import { findModel, loadOptions, readLoadOptions } from '../load.ts'
import { Misuse } from '../misuse.ts'
import { count } from '../numbers.ts'
import { print, printJson } from '../print.ts'
import { Progress } from '../progress.ts'
import { columns, painter, takesColour } from '../terminal.ts'
import { writePlots, writeWhole } from './output.ts'

const encodings = ['float32', 'int8', 'binary'] as const
const kinds = [
  'retrieval',
  'instructions',
  'sts',
  'pairs',
  'bitext',
  'reranking',
  'classification',
  'clustering',
  'summarisation',
] as const

export const runCommand: Command = {
  name: 'eval run',
  summary: 'judge a model on a data set',
  usage: ['DATASET [OPTIONS]', '--suite NAME --data FOLDER [OPTIONS]'],
  about: [
    'DATASET is a folder with corpus, queries and judgements (BEIR, TREC qrels, or "relevant" in the queries\' own lines), ' +
      'a table of sentence pairs, labels or candidates (jsonl, csv, tsv, parquet), or the name of a collection: handbook ' +
      'travels with the package, eval pull fetches cranfield and stsbenchmark.',
    'Vectors of documents are kept, so that another setting does not compute them again; after a kill the same command ' +
      'goes on. The same command gives the same report, byte for byte.',
  ],
  options: {
    dimensions: {
      value: 'N,…',
      short: 'd',
      help: 'leading dimensions to keep; several side by side',
    },
    encoding: {
      value: 'NAME,…',
      help: 'how documents are kept: float32, int8, binary; default: float32',
    },
    instruction: {
      value: 'TEXT',
      help: "what the queries are for; default: the task's, else Qwen's web search one",
    },
    task: { value: 'NAME', help: "the task's name in MTEB: its instruction and rules" },
    kind: { value: 'KIND', choices: kinds, help: `${kinds.join(', ')}; default: by its columns` },
    split: { value: 'NAME', help: 'the split to judge by; default: the only one, else test' },
    reranker: { value: 'NAME', short: 'r', help: 'a second stage that orders the best anew' },
    top: { value: 'N', help: 'how many the second stage sees; default: 100' },
    adapter: { value: 'FILE', help: 'an adapter for the model' },
    metrics: {
      value: 'NAME,…',
      help: 'of retrieval, such as ndcg@10,recall@100; the first is compared',
    },
    'max-chars': { value: 'N', help: 'cut documents and texts to so many characters' },
    'ignore-identical': { help: "drop the document whose id is the query's" },
    protocol: {
      value: 'NAME',
      choices: ['mteb-1', 'mteb-2'],
      help: 'of candidate lists; default: mteb-1',
    },
    algorithm: {
      value: 'NAME',
      choices: ['mini-batch', 'lloyd'],
      help: 'of clustering; default: mini-batch',
    },
    suite: { value: 'NAME', help: `every task of: ${Object.keys(suites).join('; ')}` },
    type: { value: 'NAME', help: 'of the suite only these, such as STS' },
    data: { value: 'FOLDER', help: 'the folder with a folder for each task; default: ./mteb' },
    output: { value: 'FILE', short: 'o', help: 'write the report there, as JSON for eval compare' },
    'run-out': { value: 'FILE', help: "write the ranking there, in TREC's form" },
    svg: { value: 'FOLDER', help: 'write pictures there' },
    'cache-dir': { value: 'FOLDER', help: 'where vectors are kept; default: QWEN3_EMBED_CACHE' },
    ...loadOptions,
  },
  examples: [
    ['qwen3-embed eval run handbook', 'the bundled model on the bundled questions, offline'],
    [
      'qwen3-embed eval run ./my-questions -m qwen3-embedding-0.6b -d 1024,256 -o mine.json',
      'your own',
    ],
    [
      'qwen3-embed eval run ./scifact --task SciFact -m qwen3-embedding-0.6b -r qwen3-reranker-0.6b',
      'two stages',
    ],
  ],

  async run(args, session) {
    const dataset = args.single('data set')
    const suite = args.text('suite')
    if ((dataset === undefined) === (suite === undefined)) {
      throw new Misuse('Expected a data set: a folder, a file, or handbook; or --suite NAME')
    }
    const options = await readOptions(args, session)
    const progress = new Steps(session)
    try {
      if (suite !== undefined) return await wholeSuite(suite, options, args, progress)
      return await one(dataset!, options, args, session, progress)
    } finally {
      progress.end()
    }
  },
}

type Options = Omit<EvaluateOptions, 'dataset'>

async function one(
  dataset: string,
  options: Options,
  args: Arguments,
  session: Session,
  progress: Steps,
) {
  const runs: [label: string, lines: string][] = []
  const runOut = args.text('run-out')
  const report = await evaluate({
    ...options,
    dataset,
    onProgress: (at) => progress.update(at),
    ...(runOut === undefined
      ? {}
      : {
          onRun: (label, run) =>
            runs.push([label, [...runLines(run, label.replace(/[\s·]+/g, '_'))].join('')]),
        }),
  })
  progress.end()
  await writeReport(report, args)
  for (const [i, [label, lines]] of runs.entries()) {
    const path =
      runs.length === 1 ? runOut! : runOut!.replace(/(\.\w+)?$/, (ending) => `.${i + 1}${ending}`)
    await writeWhole(path, lines)
    remark(session, `run: ${path} (${label})`)
  }
  if (runOut !== undefined && runs.length === 0)
    throw new Misuse('--run-out: only retrieval makes a run')
  await writePlots(
    args,
    session,
    plotsOf([report]).map((name) => [name, () => reportSvg(report, name)]),
  )
  if (args.has('json')) await printJson(report)
  else await print(reportText(report, { colour: takesColour(process.stdout) }))
  return true
}

async function writeReport(report: Report | SuiteReport, args: Arguments) {
  const output = args.text('output')
  if (output !== undefined) await writeWhole(output, `${JSON.stringify(report, null, 1)}\n`)
}

async function wholeSuite(
  suite: string,
  options: Options,
  args: Arguments,
  progress: Steps,
): Promise<boolean> {
  if (!Object.hasOwn(suites, suite)) {
    throw new Misuse(
      `There is no suite ${JSON.stringify(suite)}; there are ${Object.keys(suites).join('; ')}`,
    )
  }
  const report = await runSuite({
    ...options,
    suite: suite as SuiteName,
    type: args.text('type'),
    data: args.text('data'),
    onProgress: (at) => progress.update(at),
  })
  progress.end()
  await writeReport(report, args)
  if (args.has('json')) await printJson(report)
  else await print(suiteText(report))
  return report.tasks.some((task) => task.value !== null)
}

function suiteText({ suite, tasks, meanTask, meanType, isComplete }: SuiteReport): string {
  const paint = painter(process.stdout)
  const hundred = (value: number | null) => (value === null ? '' : (100 * value).toFixed(2))
  const head = ['TASK', 'TYPE', 'HERE', 'PUBLISHED', ''].map((title) => paint('bold', title))
  const rows = tasks.map(({ name, type, value, published, reason }) => [
    name,
    type,
    hundred(value),
    hundred(published),
    reason ?? '',
  ])
  const run = tasks.filter((task) => task.value !== null).length
  const means =
    run === 0
      ? 'no task was run'
      : `mean of tasks ${hundred(meanTask)}, of types ${hundred(meanType)}`
  const partial = isComplete
    ? ''
    : `, of ${run} of ${tasks.length} tasks only: not the figure of a table`
  return `${columns([head, ...rows], [2, 3])}\n${suite}: ${means}${partial}\n`
}

async function readOptions(args: Arguments, session: Session): Promise<Options> {
  const texts = [
    'instruction',
    'task',
    'split',
    'adapter',
    'kind',
    'protocol',
    'algorithm',
  ] as const
  const given = Object.fromEntries(
    texts.map((name) => [name, args.text(name)]).filter(([, value]) => value !== undefined),
  )
  const top = args.integer('top', 1)
  const maxChars = args.integer('max-chars', 1)
  const reranker = args.text('reranker')
  const cacheDir = args.text('cache-dir')
  return {
    ...(given as Partial<Options>),
    ...listed(args, 'dimensions', (word) => whole(word)),
    ...listed(args, 'encoding', (word) => encoding(word)),
    ...listed(args, 'metrics', (word) => word),
    ...(top === undefined ? {} : { top }),
    ...(maxChars === undefined ? {} : { maxChars }),
    ...(args.has('ignore-identical') ? { ignoreIdentical: true } : {}),
    ...(cacheDir === undefined ? {} : { cacheDir }),
    model: await found(args.text('model'), session),
    ...(reranker === undefined ? {} : { reranker: await found(reranker, session) }),
    load: readLoadOptions(args),
    signal: session.signal,
  }
}

/** The name that the report shows, with its file on this machine. A baseline keeps its name, which its prompts hang on. */
async function found(name: string | undefined, session: Session): Promise<string> {
  const baseline = baselines.find((one) => one.name === name?.toLowerCase())
  if (baseline) remark(session, `${baseline.name}: ${baseline.note}`)
  const { bundled, name: resolved, paths } = await findModel(baseline?.source ?? name, session)
  if (baseline) return baseline.name
  if (bundled) return 'mini'
  return name?.endsWith('.gguf') ? paths[0]! : resolved
}

function listed<K extends string, T>(
  args: Arguments,
  name: K,
  read: (word: string) => T,
): { [key in K]?: T[] } {
  const text = args.text(name)
  return (
    text === undefined ? {} : { [name]: text.split(',').map((word) => read(word.trim())) }
  ) as { [key in K]?: T[] }
}

function whole(word: string): number {
  if (/^\d+$/.test(word)) return Number(word)
  throw new Misuse(
    `--dimensions takes whole numbers with commas between them, not ${JSON.stringify(word)}`,
  )
}

function encoding(word: string) {
  const known = encodings.find((one) => one === word)
  if (known) return known
  throw new Misuse(`--encoding takes ${encodings.join(', ')}, not ${JSON.stringify(word)}`)
}

/** A bar for each step of the work. */
class Steps {
  readonly #session: Session
  #step = ''
  #progress: Progress | undefined

  constructor(session: Session) {
    this.#session = session
  }

  update({ step, done, total }: EvalProgress): void {
    if (step !== this.#step) {
      this.end()
      this.#step = step
      this.#progress = new Progress(step, this.#session)
    }
    this.#progress!.update(total === 0 ? 1 : done / total, `${count(done)} of ${count(total)}`)
  }

  end(): void {
    this.#progress?.end()
    this.#step = ''
  }
}
