import { Remarks, readQrels, readRun, reportText, score } from '../../eval/index.ts'
import type { Command } from '../command.ts'
import { Misuse } from '../misuse.ts'
import { print, printJson } from '../print.ts'
import { takesColour } from '../terminal.ts'

export const scoreCommand: Command = {
  name: 'eval score',
  summary: "trec_eval's measures of a run, without a model",
  usage: ['--qrels FILE --run FILE [OPTIONS]'],
  about: [
    'Judgements of four columns (TREC) or a tsv with a header (BEIR), a run of six columns; gzip or not. Numbers are ' +
      "trec_eval 9's: documents are ordered by score as float32, ties by id, and the rank column is not looked at. " +
      'Judged queries that the run lacks count as 0 here, as with -c there; --skip-missing leaves them out.',
  ],
  options: {
    qrels: { value: 'FILE', help: 'who answers whom (required)' },
    run: { value: 'FILE', help: 'what was found (required)' },
    metrics: {
      value: 'NAME,…',
      help: 'such as ndcg@10,map,mrr@10,recall@100,precision@5,success@1',
    },
    'skip-missing': { help: 'leave out judged queries that the run lacks' },
    'per-query': { help: 'with --json: the values of each query too' },
  },
  examples: [
    [
      'qwen3-embed eval score --qrels qrels.txt --run run.txt --metrics ndcg@10,map',
      'two measures',
    ],
  ],

  async run(args) {
    const [qrelsPath, runPath] = [args.text('qrels'), args.text('run')]
    if (qrelsPath === undefined || runPath === undefined)
      throw new Misuse('Expected --qrels FILE and --run FILE')
    const remarks = new Remarks()
    const qrels = await readQrels(qrelsPath, remarks)
    const run = await readRun(runPath, remarks)
    const metrics = args.text('metrics')?.split(',')
    const found = score(qrels, run, {
      ...(metrics ? { metrics } : {}),
      missing: args.has('skip-missing') ? 'skip' : 'zero',
    })
    const all = [...remarks.list(), ...found.remarks]
    if (args.has('json')) {
      const { values, queries, ...rest } = found
      await printJson({
        ...rest,
        count: queries.length,
        remarks: all,
        ...(args.has('per-query') ? { queries, values } : {}),
      })
      return true
    }
    const main = Object.keys(found.metrics)[0]!
    await print(
      reportText(
        {
          version: 1,
          dataset: {
            name: runPath,
            task: null,
            kind: 'run',
            split: qrelsPath,
            digest: '',
            counts: { queries: found.queries.length },
          },
          items: found.queries,
          systems: [
            {
              label: 'run',
              model: { name: 'run', fingerprint: '', quantization: '', architecture: '' },
              adapter: null,
              reranker: null,
              instruction: '',
              dimensions: 0,
              encoding: 'float32',
              main,
              metrics: found.metrics,
              values: found.values,
              evidence: { kind: 'mean', values: found.values[main]! },
              histogram: null,
            },
          ],
          remarks: all,
        },
        { colour: takesColour(process.stdout) },
      ),
    )
    return true
  },
}
