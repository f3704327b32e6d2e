import { evaluate, plotsOf, reportSvg, reportText, runLines, suites } from '../../eval/index.ts'
import type { Arguments } from '../arguments.ts'
import { type Command, remark, type Session } from '../command.ts'
import { loadOptions } from '../load.ts'
import { Misuse } from '../misuse.ts'
import { print, printJson } from '../print.ts'
import { takesColour } from '../terminal.ts'
import { writePlots, writeReport, writeWhole } from './output.ts'
import { kinds, type RunOptions, readOptions } from './run-options.ts'
import { Steps } from './steps.ts'
import { wholeSuite } from './suite.ts'

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

async function one(
  dataset: string,
  options: RunOptions,
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
