import { Embedder, inspect, type ModelInfo, Reranker, type Stats } from '../index.ts'
import { passages, shortTexts } from './bench-texts.ts'
import { type Command, remark, type Session } from './command.ts'
import { findModel, load, loadOptions } from './load.ts'
import { Misuse } from './misuse.ts'
import { bytes, count, milliseconds, percentile, rate } from './numbers.ts'
import { print, printJson } from './print.ts'
import { columns, painter } from './terminal.ts'

/** What one workload came to. */
interface Measured {
  workload: string
  texts: number
  seconds: number
  textsPerSecond: number
  tokensPerSecond: number
  /** Tokens that went through the layers, of those in the texts: fewer, where texts share a beginning. */
  tokensRunShare: number
}

interface Latency {
  calls: number
  p50Ms: number
  p95Ms: number
}

type Run = (round: number) => Promise<number>

const queriesAtOnce = 256
const passagesAtOnce = 32
const documentsAtOnce = 32

export const bench: Command = {
  name: 'bench',
  summary: 'how fast this machine runs a model',
  usage: ['[MODEL] [OPTIONS]'],
  about: [
    `Embedding: short queries (${queriesAtOnce} in a call, with the instruction), passages of about 128 tokens ` +
      `(${passagesAtOnce} in a call), and single queries one after another for latency. Rerankers: one query with ` +
      `${documentsAtOnce} passages. Texts are made up and differ from call to call. tokens/s counts all tokens of the ` +
      'texts; a shared instruction or query is computed once, and "computed" says which share went through the layers.',
    'Other work on the machine changes the numbers: run it twice.',
  ],
  options: {
    seconds: { value: 'N', help: 'time for each workload; default: 3' },
    ...loadOptions,
  },
  examples: [
    ['qwen3-embed bench', 'the bundled model'],
    ['qwen3-embed bench qwen3-embedding-0.6b --threads 4', 'another, four threads'],
  ],

  async run(args, session) {
    const name = args.single('model') ?? args.text('model')
    if (args.positionals.length > 0 && args.text('model') !== undefined) {
      throw new Misuse('Name the model once: as an argument or with --model')
    }
    const seconds = args.number('seconds', 0.01, 600) ?? 3
    const found = await findModel(name, session)
    const facts = await inspect(found.paths[0]!)
    const ranks = facts.pooling === 'rank' || facts.head === 'cls' || /rerank/i.test(facts.name)
    const before = performance.now()
    const model = ranks
      ? await load(Reranker, found, args, session)
      : await load(Embedder, found, args, session)
    const loadMs = performance.now() - before
    try {
      const { measured, latency } =
        model instanceof Reranker
          ? await benchRanker(model, seconds, session)
          : await benchEmbedder(model, seconds, session)
      const memory = { now: process.memoryUsage.rss(), peak: process.resourceUsage().maxRSS * 1024 }
      const { engine, device, kernels, quantization } = model.info
      const who = { model: found.name, engine, device, kernels, quantization }
      const result = { ...who, loadMs, measured, latency, memory }
      if (args.has('json')) await printJson(result)
      else await print(report(model.info, result))
    } finally {
      await model.close()
    }
    return true
  },
}

async function benchEmbedder(model: Embedder, seconds: number, session: Session) {
  const call = { signal: session.signal }
  const queries = async (round: number) => {
    await model.embedQueries(shortTexts(queriesAtOnce, round), call)
    return queriesAtOnce
  }
  const documents = async (round: number) => {
    await model.embedDocuments(passages(passagesAtOnce, round), call)
    return passagesAtOnce
  }
  const single = async (round: number) => {
    await model.embedQuery(shortTexts(1, 1_000_000 + round)[0]!, call)
    return 1
  }
  remark(session, 'short queries, passages, single queries …')
  return {
    measured: [
      await measure('short queries', queries, model, seconds),
      await measure('passages', documents, model, seconds),
    ],
    latency: await timeEach(single, seconds),
  }
}

async function benchRanker(model: Reranker, seconds: number, session: Session) {
  const rank = async (round: number) => {
    const [query] = shortTexts(1, round)
    await model.rank(query!, passages(documentsAtOnce, round), { signal: session.signal })
    return documentsAtOnce
  }
  remark(session, `one query with ${documentsAtOnce} passages …`)
  const measured = [await measure(`1 × ${documentsAtOnce} passages`, rank, model, seconds)]
  return { measured, latency: await timeEach((round) => rank(1_000_000 + round), seconds) }
}

async function measure(
  workload: string,
  run: Run,
  model: { stats: Stats },
  seconds: number,
): Promise<Measured> {
  await run(-1)
  const before = model.stats
  const startedAt = performance.now()
  let texts = 0
  let round = 0
  do texts += await run(round++)
  while (performance.now() - startedAt < 1000 * seconds)
  const took = (performance.now() - startedAt) / 1000
  const after = model.stats
  const tokens = after.tokens - before.tokens
  return {
    workload,
    texts,
    seconds: took,
    textsPerSecond: texts / took,
    tokensPerSecond: tokens / took,
    tokensRunShare: (after.tokensRun - before.tokensRun) / tokens,
  }
}

async function timeEach(run: Run, seconds: number): Promise<Latency> {
  const times: number[] = []
  const end = performance.now() + 1000 * seconds
  do {
    const before = performance.now()
    await run(times.length)
    times.push(performance.now() - before)
  } while (performance.now() < end)
  times.sort((a, b) => a - b)
  return { calls: times.length, p50Ms: percentile(times, 0.5), p95Ms: percentile(times, 0.95) }
}

function report(
  info: ModelInfo,
  result: {
    model: string
    loadMs: number
    measured: Measured[]
    latency: Latency
    memory: { now: number; peak: number }
  },
): string {
  const paint = painter(process.stdout)
  const { measured, latency, memory, loadMs } = result
  const head = ['WORKLOAD', 'TOKENS/S', 'TEXTS/S', 'COMPUTED'].map((title) => paint('bold', title))
  const rows = measured.map((one) => [
    one.workload,
    rate(one.tokensPerSecond),
    rate(one.textsPerSecond),
    `${Math.round(100 * one.tokensRunShare)}%`,
  ])
  const { p50Ms, p95Ms, calls } = latency
  const { engine, kernels, device, quantization } = info
  return [
    `${result.model}, ${quantization}: ${engine} engine, ${kernels} kernels, ${device}\n\n`,
    columns([head, ...rows], [1, 2, 3]),
    `\none at a time  p50 ${milliseconds(p50Ms)}, p95 ${milliseconds(p95Ms)} (${count(calls)} calls)\n`,
    `loading        ${milliseconds(loadMs)}\n`,
    `memory         ${bytes(memory.now)} now, ${bytes(memory.peak)} at most\n`,
  ].join('')
}
