import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Embedder, Reranker, similarity } from 'qwen3-embed'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type MineOptions, mine } from '../dist/mine/index.js'
import { synth } from '../dist/synth/index.js'
import { containment, gramsOf } from '../lib/pairs/grams.ts'
import { sectionsOf } from '../lib/synth/sections.ts'
import { fixture } from './fixtures/models.ts'

const folder = mkdtempSync(join(tmpdir(), 'mine-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const cacheDir = join(folder, 'cache')
const handbook = fileURLToPath(
  new URL('../lib/eval/collections/handbook/corpus.jsonl', import.meta.url),
)
const passages = readFileSync(handbook, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as { title: string; text: string })
const rows = passages.map(({ title, text }) => ({ query: title, positive: text }))

let embedder: Embedder
beforeAll(async () => {
  embedder = await Embedder.load('mini')
})
afterAll(() => embedder.close())
const find = (more: Partial<MineOptions> = {}) =>
  mine({ model: embedder, data: rows, cacheDir, range: 20, negatives: 5, ...more })

/** Every eighth word left out, or the sentences the other way round. */
const twins = passages.flatMap(({ text }) => [
  text
    .split(' ')
    .filter((_, i) => i % 8 !== 3)
    .join(' '),
  text.split('. ').reverse().join('. '),
])

describe('mining', () => {
  it('is what brute force finds', async () => {
    const { rows: mined, report } = await find()
    const queries = await embedder.embedQueries(rows.map(({ query }) => query))
    const texts = await embedder.embedDocuments(rows.map(({ positive }) => positive))
    for (const [i, row] of mined.entries()) {
      const scores = texts.map((text, j) => ({ j, score: similarity(queries[i]!, text) }))
      const positive = scores[i]!.score
      const near = scores.sort((a, b) => b.score - a.score).slice(0, 20)
      const expected = near
        .filter(({ j }) => j !== i && similarity(texts[i]!, texts[j]!) <= 0.98)
        .filter(
          ({ j }) => containment(gramsOf(rows[i]!.positive), gramsOf(rows[j]!.positive)) < 0.2,
        )
        .filter(({ score }) => score <= positive - 0.05 * Math.abs(positive))
        .slice(0, 5)
        .map(({ j }) => rows[j]!.positive)
      expect(row.negatives).toEqual(expected)
    }
    expect(report.queries).toBe(60)
    expect(report.negativeScore).toBeLessThan(report.positiveScore)
    expect(report.negatives).toBe(mined.reduce((sum, { negatives }) => sum + negatives.length, 0))
  })

  it('takes no twin of an answer for a wrong one, though twins are near', async () => {
    const { rows: mined, report } = await find({ corpus: twins })
    const planted = new Set(twins)
    for (const [i, { negatives }] of mined.entries()) {
      const own = new Set([rows[i]!.positive, twins[2 * i]!, twins[2 * i + 1]!])
      for (const negative of negatives) expect(own.has(negative)).toBe(false)
    }
    expect(report.dropped.words + report.dropped.twin).toBeGreaterThan(40)
    expect(planted.size).toBeGreaterThan(100)
  })

  it('keeps what the rows held, and draws by its seed', async () => {
    const given = rows.map((row) => ({ ...row, instruction: 'Find it', source: { page: 1 } }))
    const output = join(folder, 'mined.jsonl')
    const { rows: mined } = await find({ data: given, output, pick: 'random', seed: 4 })
    expect(mined[0]).toMatchObject({ instruction: 'Find it', source: { page: 1 } })
    const lines = readFileSync(output, 'utf8').trim().split('\n')
    expect(lines.map((line) => JSON.parse(line))).toEqual(JSON.parse(JSON.stringify(mined)))
    expect((await find({ data: given, pick: 'random', seed: 4 })).rows).toEqual(mined)
    expect((await find({ data: given, pick: 'random', seed: 5 })).rows).not.toEqual(mined)
  })

  it('asks a judge: what it says yes to is no wrong answer, and a right one where asked for', async () => {
    await using judge = await Reranker.load(fixture('rerank'))
    const data = rows.slice(0, 12)
    const corpus = rows.map(({ positive }) => positive)
    const options = { data, corpus, reranker: judge, negatives: 4 }
    const { rows: mined, report } = await find(options)
    // Of random weights it says yes and no at random, and always the same.
    let dropped = 0
    for (const [i, { negatives }] of mined.entries()) {
      const { query, positive } = data[i]!
      const own = (await judge.score([[query, positive]], { truncate: 'end' }))[0]!
      const isWrong = (score: number) => score < 0.5 && score <= 0.9 * own
      const said = async (texts: string[]) =>
        judge.score(
          texts.map((text) => [query, text] as [string, string]),
          { truncate: 'end' },
        )
      for (const score of await said(negatives)) expect(isWrong(score)).toBe(true)
      const { rows: plain } = await find({
        ...options,
        data: [data[i]!],
        negatives: 8,
        reranker: undefined,
      })
      const asked = await said(plain[0]!.negatives)
      dropped += asked.filter((score) => !isWrong(score)).length
      expect(negatives).toEqual(
        plain[0]!.negatives.filter((_, n) => isWrong(asked[n]!)).slice(0, 4),
      )
    }
    expect(dropped).toBeGreaterThan(0)
    expect(report.dropped.judge).toBe(dropped)
    expect(report.promoted).toBe(0)

    const promoted = await find({ ...options, promote: true })
    expect(promoted.report.promoted).toBe(dropped)
    for (const [i, row] of promoted.rows.entries()) {
      const [own, ...others] = [row.positive].flat()
      expect(own).toBe(data[i]!.positive)
      for (const other of others) expect(row.negatives).not.toContain(other)
      expect(row.negatives).toEqual(mined[i]!.negatives)
    }
  }, 60_000)

  it('refuses what it does not know', async () => {
    await expect(find({ method: 'best' as never })).rejects.toThrow(/percPos, marginPos/)
    await expect(find({ negativ: 3 } as object)).rejects.toThrow(/Did you mean negatives/)
    await expect(find({ data: [{ query: 'a' }] })).rejects.toMatchObject({ code: 'ERR_DATASET' })
    await expect(find({ corpus: join(folder, 'none.jsonl') })).rejects.toMatchObject({
      code: 'ERR_DATASET',
    })
  })
})

describe('headings', () => {
  const markdown = `---
title: x
---
# Manual

Intro of the manual.

## Returns and money back

${'You may return goods within thirty days of their delivery and get your money. '.repeat(3)}

\`\`\`md
# not a heading
\`\`\`

## Usage

${'Words that nobody asks for by this heading of no meaning at all here. '.repeat(3)}

### Cards

${'A card is charged when the goods leave our house and never before that day. '.repeat(3)}
`

  it('are read with what stands above and below them', () => {
    expect(sectionsOf(markdown).map(({ heading, above, line }) => [heading, above, line])).toEqual([
      ['Manual', [], 4],
      ['Returns and money back', ['Manual'], 8],
      ['Usage', ['Manual'], 16],
      ['Cards', ['Manual', 'Usage'], 20],
    ])
  })

  it('become queries where they say something', async () => {
    const made = await synth({
      documents: [{ id: 'a.md', text: markdown }],
      model: embedder,
      cacheDir,
    })
    expect(made.rows.map(({ query }) => query)).toEqual(['Returns and money back', 'Manual: Cards'])
    expect(made.rows[0]!.positive_id).toBe('a.md#8')
    // The passage must be found by its query: of pairs that were shuffled nearly none is.
    const many = passages.map(({ title, text }, i) => ({
      id: `${i}.md`,
      text: `# ${title}\n\n${text}`,
    }))
    const wrong = passages.map(({ title }, i) => ({
      id: `${i}.md`,
      text: `# ${title}\n\n${passages[(i + 20) % passages.length]!.text}`,
    }))
    const kept = async (documents: { id: string; text: string }[]) => {
      const { rows: left, dropped } = await synth({
        documents,
        model: embedder,
        cacheDir,
        roundTrip: 3,
      })
      for (const { source } of left) expect(source.rank).toBeLessThanOrEqual(3)
      return left.length / (left.length + dropped.roundTrip)
    }
    // Measured: 0.53 of the titles, which are no questions.
    expect(await kept(many)).toBeGreaterThan(0.4)
    expect(await kept(wrong)).toBeLessThan(0.1)
    await expect(
      synth({ documents: [{ id: 'b', text: 'no heading' }], model: embedder, cacheDir }),
    ).rejects.toMatchObject({ code: 'ERR_DATASET' })
  })
})
