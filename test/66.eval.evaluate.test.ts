import { spawn } from 'node:child_process'
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout as wait } from 'node:timers/promises'
import { Embedder, Reranker } from 'qwen3-embed'
import { compare, evaluate, type Report, reportSvg, reportText, score } from 'qwen3-embed/eval'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fixture } from './fixtures/models.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'eval-'))
const cacheDir = join(folder, 'cache')
let embedder: Embedder

beforeAll(async () => {
  embedder = await Embedder.load('mini')
})
afterAll(async () => {
  await embedder.close()
  rmSync(folder, { recursive: true, force: true })
})

const lines = (rows: object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('')

let made = 0
function data(files: Record<string, string>): string {
  const path = join(folder, `set${made++}`)
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true })
    writeFileSync(join(path, name), content)
  }
  return path
}

const judge = (dataset: string, options = {}) =>
  evaluate({ model: embedder, dataset, cacheDir, ...options })
const value = ({ systems }: Report, metric: string, system = 0) =>
  systems[system]!.metrics[metric]!.value

describe('retrieval', () => {
  it('judges the bundled model on the bundled questions', async () => {
    const report = await judge('handbook', { dimensions: [256, 64] })
    // Measured on AVX-512 VNNI; other kernels round otherwise, which moves a pair of neighbours here and there.
    expect(value(report, 'ndcg@10')).toBeCloseTo(0.801, 1)
    expect(value(report, 'ndcg@10', 1)).toBeCloseTo(0.722, 1)
    expect(report.items.length).toBe(50)
    expect(report.remarks).toEqual([])
    const { low, high } = report.systems[0]!.metrics['ndcg@10']!
    expect(low).toBeLessThan(value(report, 'ndcg@10'))
    expect(high).toBeGreaterThan(value(report, 'ndcg@10'))
  })

  it('is what the public API gives by hand: every document against every query', async () => {
    const read = (name: string) =>
      readFileSync(join(root, 'lib/eval/collections/handbook', name), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    const [documents, queries] = [read('corpus.jsonl'), read('queries.jsonl')]
    const vectors = await embedder.embedDocuments(
      documents.map(({ title, text }) => `${title} ${text}`),
    )
    const asked = await embedder.embedQueries(queries.map(({ text }) => text))
    const run = Object.fromEntries(
      asked.map((query, i) => [
        queries[i]._id,
        Object.fromEntries(
          vectors.map((vector, n) => [
            documents[n]._id,
            vector.reduce((sum, x, k) => sum + x * query[k]!, 0),
          ]),
        ),
      ]),
    )
    const qrels = Object.fromEntries(queries.map(({ _id, relevant }) => [_id, relevant]))
    const byHand = score(qrels, run, { metrics: ['ndcg@10', 'map@100'] })
    const report = await judge('handbook')
    expect(value(report, 'ndcg@10')).toBeCloseTo(byHand.metrics['ndcg@10']!.value, 12)
    expect(value(report, 'map@100')).toBeCloseTo(byHand.metrics['map@100']!.value, 12)
  })

  it('gives the same report again, and embeds documents once', async () => {
    const own = join(folder, 'once')
    const first = JSON.stringify(await judge('handbook', { cacheDir: own }))
    const { tokens } = embedder.stats
    expect(JSON.stringify(await judge('handbook', { cacheDir: own }))).toBe(first)
    await judge('handbook', { cacheDir: own, dimensions: 64, encoding: ['int8', 'binary'] })
    expect(embedder.stats.tokens).toBe(tokens)
    await judge('handbook', { cacheDir: own, instruction: 'Find the rule of the shop' })
    const queriesOnly = embedder.stats.tokens - tokens
    expect(queriesOnly).toBeGreaterThan(0)
    expect(queriesOnly).toBeLessThan(tokens)
  })

  it('keeps its order in bytes nearly, and in bits roughly', async () => {
    const { systems } = await judge('handbook', { encoding: ['float32', 'int8', 'binary'] })
    const [float, bytes, bits] = systems.map(({ metrics }) => metrics['ndcg@10']!.value)
    expect(Math.abs(float! - bytes!)).toBeLessThan(0.02)
    expect(bits!).toBeGreaterThan(0.6)
    expect(systems.map(({ label }) => label)).toEqual([
      'mini · 256',
      'mini · 256 · int8',
      'mini · 256 · binary',
    ])
  })

  it('reranks the best in a second stage, and prints what bounds it', async () => {
    const reranker = await Reranker.load(fixture('rerank'))
    const runs: Record<string, Map<string, (readonly [string, number])[]>> = {}
    const onRun = (label: string, run: Map<string, (readonly [string, number])[]>) => {
      runs[label] = run
    }
    const options = { reranker, top: 5, onRun, cacheDir: join(folder, 'reranked') }
    const report = await judge('handbook', options)
    expect(report.systems.map(({ reranker }) => reranker?.top)).toEqual([undefined, 5])
    expect(value(report, 'recall@5')).toBeGreaterThan(0.8)
    const [first, second] = Object.values(runs)
    for (const [query, list] of second!) {
      expect(list.length).toBe(5)
      expect(new Set(list.map(([id]) => id))).toEqual(
        new Set(
          first!
            .get(query)!
            .slice(0, 5)
            .map(([id]) => id),
        ),
      )
      expect(list.map(([, score]) => score)).toEqual(
        list.map(([, score]) => score).sort((a, b) => b - a),
      )
    }
    // Everything is kept: again without a pass.
    const { tokens } = reranker.stats
    expect(JSON.stringify(await judge('handbook', options))).toBe(JSON.stringify(report))
    expect(reranker.stats.tokens).toBe(tokens)
    await reranker.close()
  })

  it("drops the query's own document where asked", async () => {
    const own = data({
      'corpus.jsonl': lines([
        { _id: 'x', text: 'bees and flowers' },
        { _id: 'y', text: 'flowers and bees' },
      ]),
      'queries.jsonl': lines([{ _id: 'x', text: 'bees and flowers', relevant: ['y'] }]),
    })
    expect(value(await judge(own), 'success@1')).toBe(0)
    expect(value(await judge(own, { ignoreIdentical: true }), 'success@1')).toBe(1)
    expect(value(await judge(own, { task: 'ArguAna' }), 'success@1')).toBe(1)
  })

  it('judges another architecture through the generic engine, without words it never learned', async () => {
    const minilm = { model: fixture('minilm'), dataset: 'handbook', cacheDir }
    const report = await evaluate(minilm)
    expect(report.systems[0]).toMatchObject({ instruction: '', model: { architecture: 'bert' } })
    // The teacher of the bundled model knows more than it does.
    expect(value(report, 'ndcg@10')).toBeGreaterThan(value(await judge('handbook'), 'ndcg@10'))
    expect(JSON.stringify(await evaluate({ ...minilm, cacheDir: join(folder, 'anew') }))).toBe(
      JSON.stringify(report),
    )
  })

  it('counts texts that the model had to cut', async () => {
    const long = data({
      'corpus.jsonl': lines([
        { _id: 'a', text: 'bees '.repeat(3000) },
        { _id: 'b', text: 'cats' },
      ]),
      'queries.jsonl': lines([{ _id: '1', text: 'bees', relevant: ['a'] }]),
    })
    const { remarks } = await judge(long)
    expect(remarks).toMatchObject([{ code: 'cut-text', count: 1 }])
    expect((await judge(long, { maxChars: 500 })).remarks).toEqual([])
  })

  it('ends with the reason of its signal', async () => {
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(judge('handbook', { signal, cacheDir: join(folder, 'aborted') })).rejects.toThrow(
      'enough',
    )
    await expect(judge('handbook', { cacheDir: join(folder, 'aborted') })).resolves.toBeDefined()
  })

  it.each([
    [{ dimension: 64 }, /Did you mean dimensions/],
    [{ dimensions: 1000 }, /an integer from 32 to 256 for dimensions/],
    [{ encoding: 'int4' }, /float32, int8, binary for encoding/],
    [{ metrics: ['ndcg'], top: 0 }, /at least 1 for top/],
    [{ metrics: ['recall'] }, /Expected a metric such as/],
  ])('refuses %j', async (options, message) => {
    await expect(judge('handbook', options)).rejects.toThrow(message)
  })
})

describe('other kinds', () => {
  const shop = [
    'The shop opens at ten.',
    'Shops open from ten to seven.',
    'The store is closed on Sunday.',
    'Opening hours of the branches.',
  ]
  const bees = [
    'Bees carry pollen.',
    'The honey bee visits flowers.',
    'A hive has one queen.',
    'Bees make honey and wax.',
  ]

  it('correlates similarity', async () => {
    const pairs = [
      { sentence1: 'A dog runs.', sentence2: 'A dog is running.', score: 5 },
      { sentence1: 'A dog runs.', sentence2: 'A cat runs.', score: 3 },
      { sentence1: 'A dog runs.', sentence2: 'The law was passed.', score: 0 },
      { sentence1: 'He cooks rice.', sentence2: 'He is cooking some rice.', score: 5 },
      { sentence1: 'He cooks rice.', sentence2: 'The moon is far.', score: 0 },
    ]
    const report = await judge(data({ 'test.jsonl': lines(pairs) }))
    expect(value(report, 'spearman')).toBeGreaterThan(0.8)
    const same = pairs.map((pair) => ({ ...pair, score: 1 }))
    await expect(judge(data({ 'test.jsonl': lines(same) }))).rejects.toMatchObject({
      code: 'ERR_DATASET',
    })
  })

  it('parts pairs, ranks candidates, groups, classifies, matches and follows instructions', async () => {
    const pairs = lines([
      { sentence1: shop[0], sentence2: shop[1], label: 1 },
      { sentence1: bees[0], sentence2: bees[1], label: 1 },
      { sentence1: shop[0], sentence2: bees[2], label: 0 },
      { sentence1: bees[3], sentence2: shop[2], label: 0 },
    ])
    expect(value(await judge(data({ 'test.jsonl': pairs })), 'ap')).toBe(1)
    const candidates = lines([
      { query: 'when does the shop open', positive: shop.slice(0, 2), negative: bees },
      { query: 'insects that make honey', positive: bees.slice(0, 2), negative: shop },
    ])
    const folderOf = data({ 'test.jsonl': candidates })
    expect(value(await judge(folderOf), 'map')).toBeGreaterThan(0.8)
    expect(value(await judge(folderOf, { protocol: 'mteb-2' }), 'ndcg@10')).toBeGreaterThan(0.8)
    const grouped = data({
      'test.jsonl': lines([
        { sentences: [...shop, ...bees], labels: [0, 0, 0, 0, 1, 1, 1, 1] },
        { sentences: [...shop, ...bees], labels: [0, 0, 0, 0, 1, 1, 1, 1] },
      ]),
    })
    expect(value(await judge(grouped, { algorithm: 'lloyd' }), 'v-measure')).toBeGreaterThan(0.5)
    const labelled = (texts: string[], label: string) => texts.map((text) => ({ text, label }))
    const classes = data({
      'train.jsonl': lines([
        ...labelled(shop.slice(0, 2), 'shop'),
        ...labelled(bees.slice(0, 2), 'bees'),
      ]),
      'test.jsonl': lines([...labelled(shop.slice(2), 'shop'), ...labelled(bees.slice(2), 'bees')]),
    })
    expect(value(await judge(classes), 'accuracy')).toBeGreaterThanOrEqual(0.75)
    const matched = lines(
      [shop[0]!, bees[0]!, 'It rains.'].map((text) => ({
        sentence1: text,
        sentence2: `${text} Yes.`,
      })),
    )
    expect(value(await judge(data({ 'test.jsonl': matched })), 'f1')).toBe(1)
    const summaries = lines([
      {
        text: '',
        human_summaries: [bees[0]],
        machine_summaries: [bees[1], shop[0], 'x'],
        relevance: [3, 1, 1],
      },
    ])
    expect(value(await judge(data({ 'test.jsonl': summaries })), 'spearman')).toBeGreaterThan(0.5)
    const instructed = data({
      'corpus.jsonl': lines([...shop, ...bees].map((text, i) => ({ _id: `d${i}`, text }))),
      'queries.jsonl': lines([
        {
          _id: '1',
          text: 'opening',
          instruction_og: 'hours of the shop',
          instruction_changed: 'the queen of the hive',
        },
      ]),
      'qrels/og.tsv': 'query-id\tcorpus-id\tscore\n1\td0\t1\n1\td1\t1\n',
      'qrels/changed.tsv': 'query-id\tcorpus-id\tscore\n1\td0\t0\n1\td1\t0\n1\td6\t1\n',
    })
    // What the changed instruction made irrelevant fell.
    expect(value(await judge(instructed), 'p-mrr')).toBeGreaterThan(0)
  })

  it("takes Qwen's instruction for a task, on both sides where it does", async () => {
    const pairs = data({
      'test.jsonl': lines([
        { sentence1: 'a', sentence2: 'b', score: 1 },
        { sentence1: 'c', sentence2: 'dog', score: 2 },
      ]),
    })
    expect((await judge(pairs, { task: 'STS12' })).systems[0]!.instruction).toBe(
      'Retrieve semantically similar text',
    )
    const found = await judge('handbook', { task: 'SciFact' })
    expect(found.systems[0]!.instruction).toBe(
      'Given a scientific claim, retrieve documents that support or refute the claim',
    )
    expect((await judge('handbook', { task: 'NoSuchTask' })).remarks).toMatchObject([
      { code: 'unknown-task' },
    ])
  })
})

describe('compare', () => {
  it('finds a difference, and none where there is none', async () => {
    const report = await judge('handbook', { dimensions: [256, 32] })
    const { differences } = compare(report)
    expect(differences).toMatchObject([{ verdict: 'worse', items: 50 }])
    expect(differences[0]!.p).toBeLessThan(0.01)
    const same = compare(report, { ...report, systems: [report.systems[0]!] })
    expect(same.differences[1]).toMatchObject({
      verdict: 'equal',
      p: 1,
      wins: 0,
      losses: 0,
      ties: 50,
    })
    expect(same.text()).toContain('no difference at all')
  })

  it('says "too few to tell" and "not better"', async () => {
    const report = await judge('handbook', { dimensions: [256, 128] })
    const short = structuredClone(report)
    short.items = short.items.slice(0, 12)
    for (const system of short.systems) {
      for (const values of Object.values(system.values)) values.length = 12
      system.evidence = { kind: 'mean', values: system.values['ndcg@10']! }
    }
    expect(compare(short).text()).toContain('12 items are too few to tell')
    const nudged = structuredClone(report)
    const values = nudged.systems[0]!.values['ndcg@10']!.map(
      (value, i) => value + (i === 0 ? 0.01 : 0),
    )
    nudged.systems[1] = { ...nudged.systems[1]!, evidence: { kind: 'mean', values } }
    expect(compare(nudged).text()).toContain('not better')
  })

  it('refuses what cannot be compared', async () => {
    const report = await judge('handbook')
    expect(() => compare(report)).toThrow(/nothing to compare it with/)
    const other = structuredClone(report)
    other.dataset.digest = 'x'
    expect(() => compare(report, other)).toThrow(/different questions or judgements/)
  })

  it('draws pictures that are XML without scripts, whatever the names', async () => {
    const report = await judge('handbook', { dimensions: [256, 64] })
    const hostile = structuredClone(report)
    hostile.dataset.name = '<script>"&\u0007'
    const comparison = compare(hostile)
    for (const name of ['intervals', 'dimensions', 'difference', 'scores'] as const) {
      const svg = comparison.svg(name)
      expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"[\s\S]*<\/svg>\n$/)
      expect(svg).not.toMatch(/<script|NaN|undefined/)
      expect(svg).not.toContain('\u0007')
      expect(svg).toContain('prefers-color-scheme:dark')
      expect(svg.match(/<(?!\/|\w+[^>]*\/>)\w+/g)?.length).toBe(svg.match(/<\/\w+>/g)?.length)
    }
    expect(reportSvg(report, 'intervals')).toContain('ndcg@10')
    expect(reportText(report)).toContain('mini · 64')
  })
})

// A killed process cannot be had inside this one.
it('gives the same report after kill −9 in the middle of a corpus', async () => {
  const words = readFileSync(
    join(root, 'lib/eval/collections/handbook/corpus.jsonl'),
    'utf8',
  ).match(/[a-z]{3,}/g)!
  const text = (i: number) =>
    Array.from(
      { length: 60 },
      (_, n) => words[(i * 131 + n * 17 + ((i * n) % 7)) % words.length],
    ).join(' ')
  const dataset = data({
    'corpus.jsonl': lines(Array.from({ length: 500 }, (_, i) => ({ _id: `d${i}`, text: text(i) }))),
    'queries.jsonl': lines(
      Array.from({ length: 30 }, (_, i) => ({
        _id: `q${i}`,
        text: text(i * 16).slice(0, 80),
        relevant: [`d${i * 16}`],
      })),
    ),
  })
  const run = (cache: string, output: string) =>
    spawn(
      process.execPath,
      [
        join(root, 'dist/cli/main.js'),
        'eval',
        'run',
        dataset,
        '-q',
        '--cache-dir',
        cache,
        '-o',
        output,
      ],
      { stdio: 'ignore' },
    )
  const ended = (child: ReturnType<typeof run>) =>
    new Promise<number | null>((resolve) => child.on('close', resolve))
  const [whole, killed] = [join(folder, 'whole'), join(folder, 'killed')]
  expect(await ended(run(whole, join(folder, 'whole.json')))).toBe(0)
  const child = run(killed, join(folder, 'killed.json'))
  const rows = () => {
    try {
      const name = readdirSync(killed).find((name) => name.endsWith('.progress'))
      return name ? (JSON.parse(readFileSync(join(killed, name), 'utf8')).rows as number) : 0
    } catch {
      return 0
    }
  }
  const end = ended(child)
  while (rows() === 0 && child.exitCode === null) await wait(5)
  child.kill('SIGKILL')
  await end
  const kept = rows()
  expect(kept).toBeGreaterThan(0)
  expect(kept).toBeLessThan(500)
  const marked = join(folder, 'marked')
  cpSync(killed, marked, { recursive: true })
  expect(await ended(run(killed, join(folder, 'killed.json')))).toBe(0)
  expect(readFileSync(join(folder, 'killed.json'), 'utf8')).toBe(
    readFileSync(join(folder, 'whole.json'), 'utf8'),
  )
  expect(readdirSync(killed).filter((name) => /partial|progress|lock/.test(name))).toEqual([])
  // Rows that were kept are not made again: zeros in place of the first are still there at the end.
  const partial = readdirSync(marked).find((name) => name.endsWith('.partial'))!
  const file = openSync(join(marked, partial), 'r+')
  writeSync(file, new Uint8Array(4 * 256), 0, 4 * 256, 0)
  closeSync(file)
  expect(await ended(run(marked, join(folder, 'marked.json')))).toBe(0)
  const vectors = readFileSync(join(marked, partial.replace('.partial', '')))
  expect(vectors.length).toBe(4 * 256 * 500)
  expect(vectors.subarray(0, 4 * 256).every((byte) => byte === 0)).toBe(true)
}, 180_000)
