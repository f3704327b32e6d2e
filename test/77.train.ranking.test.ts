import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Reranker } from 'qwen3-embed'
import { afterAll, describe, expect, it } from 'vitest'
import { type TrainOptions, train } from '../dist/train/index.js'
import { planPairs } from '../lib/train/batches.ts'
import { fixture } from './fixtures/models.ts'

const folder = mkdtempSync(join(tmpdir(), 'train-ranking-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string) => join(folder, name)

// What is an answer can be read off the last word alone: a model of random weights can learn it, and nothing else.
const things = [
  'pump',
  'valve',
  'wing',
  'engine',
  'rotor',
  'tank',
  'hose',
  'filter',
  'seal',
  'gear',
]
const places = [
  'in the cellar',
  'on the roof',
  'by the door',
  'behind the wall',
  'under the stairs',
]
const asked = things.flatMap((thing) => places.map((place) => `the ${thing} ${place}`))
const rowOf = (query: string) => ({
  query,
  positive: `${query} is open`,
  negatives: [`${query} is shut`],
})
// Every fifth query, and with it a combination of thing and place, is seen by the judge alone.
const learnt = asked.filter((_, i) => i % 2 === 0).map(rowOf)
const dev = at('dev.jsonl')
writeFileSync(
  dev,
  asked
    .filter((_, i) => i % 2 === 1)
    .concat(asked.map((text) => `${text} today`).filter((_, i) => i % 4 === 1))
    .map((query) =>
      JSON.stringify({ query, positive: [`${query} is open`], negative: [`${query} is shut`] }),
    )
    .join('\n'),
)

const shared = {
  model: fixture('rerank'),
  learningRate: 3e-3,
  batch: 10,
  epochs: 8,
  cacheDir: at('cache'),
} satisfies Partial<TrainOptions>

describe.each(['rerank', 'rerank-tied'] as const)('a reranker, %s', (name) => {
  it('learns to tell answers from what is none, is judged better and ranks so', async () => {
    const output = at(`${name}.gguf`)
    const result = await train({ ...shared, model: fixture(name), data: learnt, output, dev })
    expect(result).toMatchObject({ adopted: true, adapter: output, examples: learnt.length * 2 })
    expect(result.loss.last).toBeLessThan(0.1)
    const before = result.dev!.before.systems[0]!.metrics
    const after = result.dev!.after.systems[0]!.metrics
    expect(after.map!.value).toBeGreaterThan(before.map!.value + 0.1)
    await using adapted = await Reranker.load(fixture(name), { adapter: output })
    const scores = await adapted.score([
      ['the lamp in the attic', 'the lamp in the attic is open'],
      ['the lamp in the attic', 'the lamp in the attic is shut'],
    ])
    expect(scores[0]).toBeGreaterThan(scores[1]!)
  }, 60_000)
})

it('is refused where labels are the wrong way round', async () => {
  const turned = learnt.map(({ query, positive, negatives: [negative] }) => ({
    query,
    positive: negative!,
    negatives: [positive],
  }))
  const output = at('turned.gguf')
  const result = await train({ ...shared, data: turned, output, dev, epochs: 2 })
  expect(result).toMatchObject({ adopted: false, adapter: null })
  expect(existsSync(output)).toBe(false)
}, 60_000)

it('goes on after it was stopped, and ends with the same bytes', async () => {
  const [straight, stopped] = [at('straight.gguf'), at('stopped.gguf')]
  const short = { ...shared, data: learnt, epochs: 20 }
  await train({ ...short, output: straight, threads: 2 })
  const controller = new AbortController()
  const cut = train({
    ...short,
    output: stopped,
    signal: controller.signal,
    onProgress: ({ phase, done }) => {
      if (phase === 'train' && done > 5) controller.abort(new Error('enough'))
    },
  })
  await expect(cut).rejects.toThrow('enough')
  expect(existsSync(`${stopped}.state-a`)).toBe(true)
  await train({ ...short, output: stopped, threads: 1 })
  expect(readFileSync(stopped).equals(readFileSync(straight))).toBe(true)
}, 60_000)

it('takes the instruction of a row', async () => {
  const output = at('instructed.gguf')
  const run = async (instruction: string) => {
    const rows = learnt.slice(0, 10).map((row) => ({ ...row, instruction }))
    await train({ ...shared, data: rows, output, epochs: 1, restart: true })
    return readFileSync(output)
  }
  expect((await run('Find what is open')).equals(await run('Find what is shut'))).toBe(false)
}, 60_000)

describe('refused before anything runs', () => {
  const run = (more: object) =>
    train({ ...shared, data: learnt, output: at('never.gguf'), ...more } as TrainOptions)

  it.each([
    ['sides', 'query'],
    ['dims', [64]],
    ['temperature', 0.1],
  ])('%s, which is of vectors', async (name, value) => {
    await expect(run({ [name]: value })).rejects.toThrow(
      `since the model is a reranker and has no vectors, for the option ${name}`,
    )
  })

  it('rows without a wrong answer', async () => {
    const data = learnt.map(({ query, positive }) => ({ query, positive }))
    await expect(run({ data })).rejects.toMatchObject({
      code: 'ERR_DATASET',
      facts: { pairs: 25, answers: 25 },
      remedy: expect.stringContaining('mine'),
    })
  })

  it('a data set that nothing can be ordered in', async () => {
    const path = at('sts.jsonl')
    writeFileSync(path, '{"sentence1":"a","sentence2":"b","score":1}\n'.repeat(3))
    await expect(run({ dev: path, epochs: 1 })).rejects.toMatchObject({ code: 'ERR_DATASET' })
  })
})

it('keeps the pairs of a query together, all of them once an epoch', () => {
  const pairs = Array.from({ length: 60 }, (_, i) => ({ query: Math.floor(i / 3) }))
  const batches = planPairs(pairs, { batch: 9, epochs: 2, seed: 4 })
  const epoch = batches.slice(0, 7)
  expect([...epoch.flat()].sort((a, b) => a - b)).toEqual(pairs.map((_, i) => i))
  for (const batch of epoch) {
    const queries = batch.map((i) => pairs[i]!.query)
    expect(new Set(queries).size).toBe(Math.ceil(batch.length / 3))
  }
  expect(batches.slice(7)).not.toEqual(epoch)
})
