import { estimate, type Job, measure, plan, type ShardFormat } from '../../fleet/index.ts'
import { Embedder } from '../../index.ts'
import type { Command } from '../command.ts'
import { findModel, load, loadOptions } from '../load.ts'
import { Misuse } from '../misuse.ts'
import { count, counted, rate as shown } from '../numbers.ts'
import { print, printJson } from '../print.ts'
import { Progress } from '../progress.ts'
import { queueOf, queueOption } from './source.ts'

export const planCommand: Command = {
  name: 'fleet plan',
  summary: 'cut records into shards, and say what they will take',
  usage: ['INPUT… --out FOLDER [OPTIONS]'],
  about: [
    'INPUT is JSON lines (strings, or objects with a text and an id), CSV or TSV with a first line of names, each plain, .gz ' +
      'or .zst, or Parquet: files, or objects as s3://bucket/name, or all below s3://bucket/prefix/. Records of ' +
      'compressed files are laid down in pieces beside the plan, so that no shard reads a file from its start.',
    'FOLDER, or s3://bucket/prefix (gs://, az://), gets manifest.json: the shards and all that decides the bytes of a row; its digest is the name of the job.',
  ],
  options: {
    out: { value: 'FOLDER', short: 'o', help: "the job's folder, which every worker sees" },
    'shard-bytes': {
      value: 'N',
      help: 'bytes of records in a shard: some minutes of work; default: 2,000,000',
    },
    format: {
      value: 'NAME',
      short: 'f',
      choices: ['npy', 'jsonl', 'parquet'],
      help: 'npy (and ids as JSON lines), jsonl or parquet; default: npy',
    },
    text: { value: 'FIELD', help: 'where the text is; default: text' },
    id: { value: 'FIELD', help: 'where the id is; default: id, or the number of the record' },
    instruction: { value: 'TEXT', help: 'put this before each text; documents want none' },
    dimensions: { value: 'N', short: 'd', help: 'keep the first N, then normalise: 32 to all' },
    truncate: {
      value: 'WHERE',
      choices: ['error', 'end'],
      help: 'a text that is too long: an error in its row, or cut its end; default: error',
    },
    kernels: {
      value: 'NAME',
      help: 'pin workers to these CPU kernels; default: any, and the first result of a shard stands',
    },
    rate: { value: 'N', help: 'records a second of one worker; default: measured here' },
    price: { value: 'X', help: 'of a worker an hour, for the cost' },
    ...queueOption,
    ...loadOptions,
    json: { help: 'the result as JSON' },
  },
  examples: [
    [
      'qwen3-embed fleet plan corpus/*.jsonl --out job -m qwen3-embedding-0.6b',
      'shards and an estimate',
    ],
  ],

  async run(args, session) {
    const out = args.text('out')
    if (out === undefined) throw new Misuse("Expected --out FOLDER: the job's folder")
    if (args.positionals.length === 0) throw new Misuse('Expected files of records')
    const price = args.number('price', 0)
    const given = args.number('rate', 0.001)
    const dimensions = args.integer('dimensions', 32)
    const shardBytes = args.integer('shard-bytes', 1)
    const found = await findModel(args.text('model'), session)
    const embedder = await load(Embedder, found, args, session)
    const progress = new Progress('plan', session)
    try {
      const job = await plan({
        inputs: args.positionals,
        out,
        embedder,
        model: found.bundled ? 'mini' : found.name,
        shardBytes,
        format: args.text('format') as ShardFormat | undefined,
        instruction: args.text('instruction'),
        dimensions,
        truncate: args.text('truncate') === 'end' ? 'end' : 'error',
        kernels: args.text('kernels'),
        text: args.text('text'),
        id: args.text('id'),
        signal: session.signal,
        onProgress: progress.follow,
      })
      progress.end()
      const queue = await queueOf(args, out)
      await queue?.enqueue(job.shards.map(({ id }) => id)).finally(() => queue.close())
      const rate = given ?? (await measure(job, embedder, out, session.signal))
      const told = { ...facts(job), ...estimate(job, rate), isMeasured: given === undefined, price }
      if (args.has('json')) await printJson(told)
      else await print(text(told, out))
      return true
    } finally {
      progress.end()
      await embedder.close()
    }
  },
}

function facts({ name, shards, inputs }: Job) {
  const records = inputs.reduce((sum, input) => sum + input.records, 0)
  return { job: name, inputs: inputs.length, shards: shards.length, records }
}

type Told = ReturnType<typeof facts> &
  ReturnType<typeof estimate> & { isMeasured: boolean; price: number | undefined }

function text(told: Told, out: string): string {
  const hours = (value: number) => `${Number(value.toPrecision(3))} worker hours`
  const cost = (value: number) =>
    told.price === undefined ? '' : `, cost ${(value * told.price).toFixed(2)}`
  return [
    `job ${told.job} in ${out}`,
    `${counted(told.records, 'record')} of ${counted(told.inputs, 'input')} in ${counted(told.shards, 'shard')}`,
    `${shown(told.rate)} records a second and worker (${told.isMeasured ? 'a short measurement here' : 'as given'})`,
    `all of it: ${hours(told.workerHours)}${cost(told.workerHours)}`,
    `a million: ${hours(told.workerHoursPerMillion)}${cost(told.workerHoursPerMillion)}`,
    ...(told.shards > 0
      ? [
          `a shard: about ${count((told.workerHours * 3600) / told.shards)} s; 2 to 10 minutes are good`,
        ]
      : []),
    '',
  ].join('\n')
}
