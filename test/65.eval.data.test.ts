import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { openDataset, Remarks, readQrels, readRun, score } from 'qwen3-embed/eval'
import { afterAll, describe, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'eval-data-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let made = 0
/** A folder of these files. */
function data(files: Record<string, string | Buffer>): string {
  const root = join(folder, `set${made++}`)
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), content)
  }
  return root
}

const lines = (...rows: object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('')
const corpus = lines(
  { _id: 'a', title: 'Bees', text: 'carry pollen' },
  { _id: 'b', text: 'Berlin' },
  { _id: 'c', title: '', text: '' },
)
const queries = lines({ _id: '1', text: 'insects' }, { _id: '2', text: 'city' })
const qrels = 'query-id\tcorpus-id\tscore\n1\ta\t1\n2\tb\t2\n'

async function open(path: string, options = {}) {
  const remarks = new Remarks()
  const opened = await openDataset(path, options, remarks)
  return {
    ...opened,
    remarks: Object.fromEntries(remarks.list().map(({ code, count }) => [code, count])),
  }
}

async function textsOf({ data }: Awaited<ReturnType<typeof open>>) {
  const texts: Record<string, string> = {}
  if (data.kind === 'retrieval') for await (const { id, text } of data.documents()) texts[id] = text
  return texts
}

describe('a folder of corpus, queries and judgements', () => {
  it('reads BEIR, and remarks on what is odd', async () => {
    const found = await open(
      data({
        'corpus.jsonl': corpus,
        'queries.jsonl': queries,
        'qrels/test.tsv': `${qrels}2\tzzz\t1\n9\ta\t1\n`,
      }),
    )
    expect(found.data).toMatchObject({
      kind: 'retrieval',
      ids: ['a', 'b', 'c'],
      queries: [{ id: '1', text: 'insects' }, { id: '2' }],
    })
    expect(await textsOf(found)).toEqual({ a: 'Bees carry pollen', b: 'Berlin', c: '' })
    expect(found.remarks).toEqual({
      'empty-document': 1,
      'unknown-document': 1,
      'unknown-query': 1,
    })
  })

  it('reads gzip, a byte order mark and CRLF, and says of the last two', async () => {
    const found = await open(
      data({
        'corpus.jsonl.gz': gzipSync(corpus),
        'queries.jsonl': `\uFEFF${queries}`,
        'qrels/test.tsv': qrels.replaceAll('\n', '\r\n'),
      }),
    )
    expect(await textsOf(found)).toMatchObject({ a: 'Bees carry pollen' })
    expect(found.data).toMatchObject({ queries: [{ id: '1' }, { id: '2' }] })
    expect(found.remarks).toEqual({ 'empty-document': 1, 'byte-order-mark': 1, crlf: 1 })
  })

  it("reads judgements in the queries' own lines, TREC's, and the hub's parquet", async () => {
    const own = lines(
      { id: '1', text: 'insects', relevant: ['a'] },
      { id: '2', text: 'city', relevant: { b: 2 } },
    )
    const first = await open(data({ 'corpus.jsonl': corpus, 'queries.jsonl': own }))
    expect(first.data).toMatchObject({
      qrels: new Map([
        ['1', new Map([['a', 1]])],
        ['2', new Map([['b', 2]])],
      ]),
    })
    const trec = await open(
      data({ 'corpus.jsonl': corpus, 'queries.jsonl': queries, 'qrels.txt': '1 0 a 1\n2 0 b 2\n' }),
    )
    expect(trec.data).toMatchObject({
      qrels: new Map([
        ['1', new Map([['a', 1]])],
        ['2', new Map([['b', 2]])],
      ]),
    })
    const parquet = await open(
      fileURLToPath(new URL('fixtures/eval/parquet/retrieval', import.meta.url)),
    )
    expect(parquet.data).toMatchObject({
      ids: ['a', 'b', 'c'],
      qrels: new Map([
        ['1', new Map([['a', 1]])],
        ['2', new Map([['b', 1]])],
      ]),
    })
    expect(await textsOf(parquet)).toMatchObject({
      a: 'Bees Bees carry pollen from flower to flower.',
    })
  })

  it('takes test among several splits and says so, or asks', async () => {
    const files = { 'corpus.jsonl': corpus, 'queries.jsonl': queries, 'qrels/dev.tsv': qrels }
    const both = data({ ...files, 'qrels/test.tsv': qrels })
    expect(await open(both)).toMatchObject({ split: 'test', remarks: { 'several-splits': 2 } })
    expect(await open(both, { split: 'dev' })).toMatchObject({ split: 'dev' })
    await expect(open(both, { split: 'tset' })).rejects.toThrow(
      /no split tset among the judgements: they are dev, test/,
    )
    const odd = data({
      'corpus.jsonl': corpus,
      'queries.jsonl': queries,
      'qrels/x.tsv': qrels,
      'qrels/y.tsv': qrels,
    })
    await expect(open(odd)).rejects.toThrow(/several splits among the judgements \(x, y\)/)
  })

  const base = { 'corpus.jsonl': corpus, 'queries.jsonl': queries, 'qrels/test.tsv': qrels }
  it.each([
    [
      'two documents of one id',
      { 'corpus.jsonl': corpus + lines({ _id: 'a', text: 'x' }) },
      /Two documents have the id a, the second in line 4 of/,
    ],
    [
      'two queries of one id',
      { 'queries.jsonl': queries + lines({ _id: '1', text: 'x' }) },
      /Two queries have the id 1/,
    ],
    [
      'a document with two grades',
      { 'qrels/test.tsv': `${qrels}1\ta\t2\n` },
      /gives document a of query 1 the grade 2, an earlier one 1/,
    ],
    [
      'a grade that is no whole number',
      { 'qrels/test.tsv': `${qrels}1\tb\t0.5\n` },
      /whole number as the grade/,
    ],
    [
      'judgements of another collection',
      { 'qrels/test.tsv': 'query-id\tcorpus-id\tscore\n7\tx\t1\n' },
      /No judgement names a query and a document/,
    ],
    [
      'a line that is no JSON',
      { 'queries.jsonl': `${queries}{"_id": 3,` },
      /Expected JSON in line 3 of .*queries\.jsonl/,
    ],
    [
      'a document without text',
      { 'corpus.jsonl': lines({ _id: 'a', abstract: 'x' }) },
      /Expected a text as text or .* which has _id, abstract/,
    ],
    [
      'bytes that are not UTF-8',
      { 'corpus.jsonl': Buffer.from([0x7b, 0xff, 0xfe]) },
      /is not UTF-8/,
    ],
  ])('refuses %s, by name', async (_, files: Record<string, string | Buffer>, message) => {
    await expect(open(data({ ...base, ...files }))).rejects.toMatchObject({
      code: 'ERR_DATASET',
      message: expect.stringMatching(message),
    })
  })

  it('refuses a gzip file that was cut short', async () => {
    const whole = gzipSync(corpus)
    const { 'corpus.jsonl': _, ...rest } = base
    const cut = data({ ...rest, 'corpus.jsonl.gz': whole.subarray(0, whole.length - 12) })
    await expect(open(cut)).rejects.toThrow(/no whole gzip file .* fetch it again/)
  })
})

describe('a table', () => {
  it.each([
    [
      'csv with quotes and no header',
      'test.csv',
      '"A ""b"", c",two,3.5\nx,"y\nz",1\n',
      { kind: 'sts', left: ['A "b", c', 'x'], right: ['two', 'y\nz'], gold: [3.5, 1] },
    ],
    [
      "STS-B's own tsv",
      'sts-test.tsv',
      'main\tMSRvid\t2012\t0024\t2.5\tA girl.\tA "woman.\n',
      { kind: 'sts', left: ['A girl.'], right: ['A "woman.'], gold: [2.5] },
    ],
    [
      'a tsv with a header',
      'test.tsv',
      'score\tsentence1\tsentence2\n1\ta\tb\n',
      { kind: 'sts', left: ['a'], gold: [1] },
    ],
    [
      'pairs',
      'test.jsonl',
      lines({ sentence1: 'a', sentence2: 'b', label: 1 }),
      { kind: 'pairs', gold: [1] },
    ],
    ['translations', 'test.jsonl', lines({ sentence1: 'a', sentence2: 'b' }), { kind: 'bitext' }],
    [
      'candidates',
      'test.jsonl',
      lines({ query: 'a', positive: ['b'], negative: ['c', 'd'] }),
      { kind: 'reranking', rows: [{ queries: ['a'], negative: ['c', 'd'] }] },
    ],
    [
      'questions with answers',
      'test.jsonl',
      lines({ question: 'a', positive: 'b' }, { question: 'c', positive: 'b' }),
      { kind: 'retrieval', ids: ['d1'] },
    ],
    [
      'sets to cluster',
      'test.jsonl',
      lines({ sentences: ['a', 'b'], labels: ['x', 'y'] }),
      { kind: 'clustering', sets: [{ texts: ['a', 'b'], labels: [0, 1] }] },
    ],
    [
      'summaries',
      'test.json',
      JSON.stringify([
        { text: 't', human_summaries: ['h'], machine_summaries: ['m', 'n'], relevance: [1, 2] },
      ]),
      { kind: 'summarisation', rows: [{ scores: [1, 2] }] },
    ],
  ])('is told by its columns: %s', async (_, name, content, expected) => {
    expect((await open(data({ [name]: content }))).data).toMatchObject(expected)
  })

  it('reads lists in one row of parquet, as mteb keeps pairs', async () => {
    const { data } = await open(
      fileURLToPath(new URL('fixtures/eval/parquet/pairs', import.meta.url)),
    )
    expect(data).toMatchObject({ kind: 'pairs', gold: [1, 0, 1] })
  })

  it("reads the hub's folder named default, and refuses to mix subsets", async () => {
    const rows = lines({ sentence1: 'a', sentence2: 'b', score: 1 })
    expect((await open(data({ 'default/test.jsonl': rows }))).data).toMatchObject({ kind: 'sts' })
    const subsets = data({ 'de/test.jsonl': rows, 'en/test.jsonl': rows })
    await expect(open(subsets)).rejects.toThrow(
      /2 subsets in .*: name the folder of one, such as de/,
    )
    expect((await open(join(subsets, 'en'))).data).toMatchObject({ kind: 'sts' })
  })

  it('says what to install where parquet cannot be read', () => {
    // The package as it lies in a project without hyparquet.
    const bare = join(folder, 'bare')
    const root = fileURLToPath(new URL('..', import.meta.url))
    for (const name of ['dist', 'package.json']) {
      cpSync(join(root, name), join(bare, name), { recursive: true })
    }
    const code = `
      import { openDataset, Remarks } from './dist/eval/index.js'
      const path = ${JSON.stringify(join(root, 'test/fixtures/eval/parquet/pairs'))}
      await openDataset(path, {}, new Remarks()).catch(({ code, message }) => console.log(code, message))`
    const options = { cwd: bare, encoding: 'utf8' } as const
    const said = execFileSync(process.execPath, ['--input-type=module', '--eval', code], options)
    expect(said).toMatch(/^ERR_DATASET .*is a parquet file: npm install hyparquet reads it/)
  })

  it('learns labels from train and judges test', async () => {
    const train = lines({ text: 'a', label: 'x' }, { text: 'b', label: 'y' })
    const test = lines({ text: 'c', label: 'y' })
    const { data: found } = await open(data({ 'train.jsonl': train, 'test.jsonl': test }))
    expect(found).toMatchObject({
      kind: 'classification',
      classes: ['x', 'y'],
      test: { labels: [1] },
    })
    await expect(open(data({ 'test.jsonl': test }))).rejects.toThrow(/learns from a training split/)
  })

  it('says what it knows where nothing fits', async () => {
    await expect(open(data({ 'test.jsonl': lines({ foo: 1 }) }))).rejects.toThrow(
      /has the columns foo, which fit no task/,
    )
    await expect(open(data({ 'note.md': 'x' }))).rejects.toThrow(/nothing to read in/)
    await expect(open('no-such-thing')).rejects.toThrow(
      /neither a folder, nor a file, nor a collection's name/,
    )
  })
})

describe('a run', () => {
  const file = (name: string, content: string) => {
    const path = join(folder, name)
    writeFileSync(path, content)
    return path
  }

  it('is read as trec_eval does: any white space, the rank is not looked at', async () => {
    const run = await readRun(
      file('run.txt', '1 Q0 a 9 0.5 tag\n1\tQ0  b\t1 0.75 tag\n\n'),
      new Remarks(),
    )
    expect(run).toEqual(
      new Map([
        [
          '1',
          new Map([
            ['a', 0.5],
            ['b', 0.75],
          ]),
        ],
      ]),
    )
    const qrels = await readQrels(file('q.txt', '1 0 b 1\n'), new Remarks())
    expect(score(qrels, run, { metrics: ['mrr'] }).metrics.mrr!.value).toBe(1)
  })

  it.each([
    ['1 Q0 a 1 0.5 t\n1 Q0 a 2 0.4 t\n', /Line 2 of .* names document a for query 1 a second time/],
    ['1 Q0 a 1 high t\n', /a number as its score, not high, in line 1/],
    ['1 Q0 a 1 0.5\n', /6 columns, found 5, in line 1/],
    ['', /There is nothing in/],
  ])('refuses %j', async (content, message) => {
    await expect(readRun(file('bad.txt', content), new Remarks())).rejects.toThrow(message)
  })
})
