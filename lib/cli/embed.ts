import {
  defaultInstruction,
  type EmbeddedText,
  type Embedder,
  type EmbedOptions,
  type Pooling,
  type Role,
} from '../index.ts'
import type { Arguments } from './arguments.ts'
import { noTexts } from './checkpoint.ts'
import { type Command, remark, type Session } from './command.ts'
import { embedAll, type Sink } from './embed-job.ts'
import { inputOptions, openInput } from './input.ts'
import { loadEmbedder, loadOptions } from './load.ts'
import { Misuse } from './misuse.ts'
import { count, counted, rate } from './numbers.ts'
import { OutputFile, tryOutput } from './output-file.ts'
import { print } from './print.ts'
import { Progress } from './progress.ts'
import { type FormatName, formatOf, formats } from './rows.ts'

const poolings = ['last', 'mean', 'cls', 'none'] as const

export const embed: Command = {
  name: 'embed',
  summary: 'texts to vectors',
  usage: ['[OPTIONS] TEXT…', '[OPTIONS] --input FILE --output FILE', '[OPTIONS] < LINES'],
  about: [
    'Each text gives one row, in input order. Without --output rows go to stdout as they are made.',
    'With --output they go to FILE.partial, with a checkpoint in FILE.progress; FILE appears when all are there. ' +
      'Memory stays flat however long the input is (a .json array is read whole). After Ctrl-C, a kill or a power cut ' +
      'the same command goes on where it stopped: no row is lost or written twice, and only rows after the last ' +
      'checkpoint are computed again.',
    'jsonl and json hold {"index", "tokens", "vector"} for each text, "cut" with the number of tokens that ' +
      '--truncate end took away, and "error" in place of "vector" for a text that failed (exit code 1). npy is a ' +
      '(texts, dimensions) float32 array for numpy.load.',
  ],
  options: {
    query: { help: "put Qwen3's default instruction before each text, as queries want" },
    instruction: { value: 'TEXT', help: 'put this one there instead; documents want none' },
    dimensions: { value: 'N', short: 'd', help: 'keep the first N, then normalise: 32 to all' },
    pooling: {
      value: 'NAME',
      choices: poolings,
      help: 'last, mean, cls, or none for a vector per token; default: by model',
    },
    'no-normalize': { help: 'leave vectors at their own length' },
    truncate: {
      value: 'WHERE',
      choices: ['error', 'end'],
      help: 'a text that is too long: an error, or cut its end; default: error',
    },
    ...inputOptions,
    output: { value: 'FILE', short: 'o', help: 'write there, resumably' },
    format: {
      value: 'FORMAT',
      short: 'f',
      choices: formats,
      help: 'jsonl, json, npy, or a table to look at; default: by the name of --output, a table on a terminal, else jsonl',
    },
    restart: { help: 'begin anew, whatever an earlier run left' },
    checkpoint: { value: 'SECONDS', help: 'make rows safe this often; default: 1' },
    ...loadOptions,
  },
  examples: [
    ['qwen3-embed embed "The capital of China is Beijing."', 'one vector, bundled model'],
    [
      'qwen3-embed embed --query "capital of China" -m qwen3-embedding-0.6b -d 256',
      'a query, 256 dimensions',
    ],
    [
      'qwen3-embed embed -i passages.jsonl --field body -o passages.npy -m qwen3-embedding-0.6b',
      'a large job, resumable',
    ],
    ['cat lines.txt | qwen3-embed embed --format jsonl | gzip > vectors.jsonl.gz', 'in a pipe'],
  ],

  async run(args, session) {
    const format = formatName(args)
    const checkpointMs = 1000 * (args.number('checkpoint', 0) ?? 1)
    const given = readOptions(args, format)
    const input = openInput(args, args.positionals, session)
    // Now, and not after minutes of loading.
    await tryOutput(args.text('output'))
    const embedder = await loadEmbedder(args, session)
    try {
      const options = { ...given, ...purposeOf(args, embedder) }
      const sink = await openSink(args, embedder, options, format, checkpointMs)
      return await runJob(embedder, input, sink, options, session)
    } finally {
      await embedder.close()
    }
  },
}

interface Output extends Sink {
  /** Among the rows. */
  readonly failed: number
  readonly tokens: number
  finish(): Promise<void>
}

async function runJob(
  embedder: Embedder,
  input: ReturnType<typeof openInput>,
  sink: Output,
  options: EmbedOptions,
  session: Session,
): Promise<boolean> {
  const file = sink instanceof OutputFile ? sink : undefined
  if (file?.isComplete) {
    await file.finish()
    remark(session, `${file.path} was already complete: ${counted(file.rows, 'row')}`)
    return file.failed === 0
  }
  const before = sink.rows
  if (before > 0) remark(session, `going on after ${counted(before, 'row')}`)
  // Rows on the same terminal say enough.
  const quiet = session.quiet || (!file && process.stdout.isTTY)
  const progress = new Progress('embed', { quiet })
  const speed = () => `${rate(embedder.stats.tokens / progress.seconds)} tokens/s`
  try {
    const call = { ...options, signal: session.signal }
    await embedAll(embedder, input, sink, call, (texts, fraction) =>
      progress.update(fraction, `${count(texts)} texts  ${speed()}`),
    )
    await sink.finish()
  } catch (error) {
    progress.end()
    // Where even that fails, as on a full disk, the last checkpoint stands.
    const isKept = await file?.suspend().then(
      () => true,
      () => false,
    )
    if (file && isKept && (session.signal.aborted || file.rows > before)) {
      const safe = `${counted(file.rows, 'row is', 'rows are')} safe in ${file.path}.partial`
      process.stderr.write(`${safe}; the same command goes on from there\n`)
    }
    throw error
  }
  const total = `${counted(sink.rows, 'text')}, ${counted(sink.tokens, 'token')}`
  progress.end(file ? `${file.path}: ${total}, ${speed()}` : '')
  if (sink.failed === 0) return true
  process.stderr.write(
    `qwen3-embed: ${counted(sink.failed, 'text')} of ${count(sink.rows)} failed; "error" in their rows says why\n`,
  )
  return false
}

async function openSink(
  args: Arguments,
  embedder: Embedder,
  options: EmbedOptions & { instruction: string },
  name: FormatName,
  checkpointMs: number,
): Promise<Output> {
  const dimensions = options.dimensions ?? embedder.dimensions
  const format = formatOf(name, dimensions, options.pooling === 'none')
  const path = args.text('output')
  if (path !== undefined) {
    const { fingerprint, queryFingerprint, pooling } = embedder.info
    const isQuery = options.role === 'query' || options.instruction.trim() !== ''
    const job = {
      model: isQuery ? queryFingerprint : fingerprint,
      instruction: options.instruction,
      dimensions,
      pooling: options.pooling ?? pooling ?? 'last',
      normalize: options.normalize ?? true,
      format: name,
    }
    const restart = args.has('restart')
    return OutputFile.open(path, { format, job, restart, checkpointMs })
  }
  const output = {
    rows: 0,
    failed: 0,
    tokens: 0,
    digest: noTexts,
    async write(embedded: readonly EmbeddedText[]) {
      for (const one of embedded) {
        await print(format.row(one, output.rows++))
        output.tokens += one.tokens
        if (one.error) output.failed++
      }
    },
    async finish() {
      await print(format.tail(output.rows))
    },
  }
  return output
}

function formatName(args: Arguments): FormatName {
  const named = formats.find((format) => format === args.text('format'))
  if (named && args.has('json') && named !== 'json') {
    throw new Misuse(`--json and --format ${named} contradict each other`)
  }
  const output = args.text('output')
  const byName = formats.find((format) => output?.toLowerCase().endsWith(`.${format}`))
  // Two hundred and fifty-six numbers are nothing to look at.
  const isWatched = output === undefined && process.stdout.isTTY
  const format = named ?? (args.has('json') ? 'json' : (byName ?? (isWatched ? 'table' : 'jsonl')))
  if (format === 'npy' && output === undefined) {
    throw new Misuse('npy needs --output FILE: its first bytes say how many rows follow')
  }
  return format
}

function readOptions(args: Arguments, format: FormatName): EmbedOptions {
  const dimensions = args.integer('dimensions', 1)
  const pooling = args.text('pooling') as Pooling | undefined
  if (pooling === 'none' && format === 'npy') {
    throw new Misuse('--pooling none gives rows of different lengths; write jsonl')
  }
  return {
    truncate: args.text('truncate') === 'end' ? 'end' : 'error',
    normalize: !args.has('no-normalize'),
    dimensions,
    pooling,
  }
}

const asQuery = { role: 'query' } as const

/** What stands before each text: part of a job's identity, since it changes every vector. */
function purposeOf(args: Arguments, embedder: Embedder): { instruction: string; role?: Role } {
  const instruction = args.text('instruction')
  if (instruction !== undefined) return { instruction, ...(args.has('query') ? asQuery : {}) }
  if (!args.has('query')) return { instruction: '' }
  return embedder.info.architecture === 'qwen3'
    ? { instruction: defaultInstruction, ...asQuery }
    : { instruction: '', ...asQuery }
}
