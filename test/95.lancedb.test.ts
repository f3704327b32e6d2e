import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, Index, type Table, type VectorQuery } from '@lancedb/lancedb'
import { getRegistry, LanceSchema } from '@lancedb/lancedb/embedding'
import { Int32 } from 'apache-arrow'
import { Embedder, Reranker } from 'qwen3-embed'
import {
  closeModels,
  type Qwen3EmbeddingFunction,
  type Qwen3FunctionOptions,
  Qwen3Reranker,
} from 'qwen3-embed/lancedb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fixture } from './fixtures/models.ts'
import { documents } from './fixtures/sentences.ts'

const folder = mkdtempSync(join(tmpdir(), 'qwen3-embed-lancedb-'))
const rows = documents.map((text, id) => ({ id, text }))
const create = (options: Partial<Qwen3FunctionOptions>) =>
  getRegistry()
    .get<Qwen3EmbeddingFunction>('qwen3')!
    .create(options as Qwen3FunctionOptions)

async function newTable(name: string, options: Qwen3FunctionOptions): Promise<Table> {
  const qwen3 = await create(options as Qwen3FunctionOptions)
  const schema = LanceSchema({
    id: new Int32(),
    text: qwen3.sourceField(),
    vector: qwen3.vectorField(),
  })
  const table = await (await connect(folder)).createEmptyTable(name, schema)
  await table.add(rows)
  return table
}

let embedder: Embedder
beforeAll(async () => {
  embedder = await Embedder.load('mini')
})
afterAll(async () => {
  await Promise.all([embedder.close(), closeModels()])
  rmSync(folder, { recursive: true })
})

describe('the embedding function', () => {
  it('embeds rows as they are and questions with their instruction', async () => {
    const table = await newTable('texts', { model: 'mini' })
    const [row] = await table.query().where('id = 1').toArray()
    const [expected] = await embedder.embedDocuments([documents[1]!])
    expect(Float32Array.from(row.vector)).toEqual(expected)

    const question = await embedder.embedQuery('German capital')
    const byText = await table.search('German capital').limit(3).toArray()
    const byVector = await table.search(question).limit(3).toArray()
    expect(byText[0].text).toBe('Berlin is the capital of Germany.')
    expect(byText.map(({ id }) => id)).toEqual(byVector.map(({ id }) => id))
  })

  it('is made anew from the table, with its options and no second model', async () => {
    const options = { model: '$var:model', dimensions: 64, instruction: 'Find the country' }
    getRegistry().setVar('model', 'mini')
    await newTable('small', options)
    const table = await (await connect(folder)).openTable('small')
    const search = table.search('Germany') as VectorQuery
    const [best] = await search.distanceType('cosine').limit(1).toArray()
    const { model: _, ...own } = options
    const [query, vectors] = await Promise.all([
      embedder.embedQuery('Germany', own),
      embedder.embedDocuments(documents, { dimensions: 64 }),
    ])
    const cosine = query.reduce((sum, x, i) => sum + x * vectors[best.id]![i]!, 0)
    expect(1 - best._distance).toBeCloseTo(cosine, 5)

    const held = process.memoryUsage.rss()
    for (let i = 0; i < 20; i++) await table.search('Germany').limit(1).toArray()
    expect(process.memoryUsage.rss() - held).toBeLessThan(10_784_192 * 10)
  })

  it('gives its vectors without copies', async () => {
    const qwen3 = await create({ model: 'mini' })
    const [a, b] = await qwen3.generateEmbeddings(['one', 'two'])
    expect(a).toBeInstanceOf(Float32Array)
    expect(a!.buffer).toBe(b!.buffer)
  })

  it('refuses a table that another file made', async () => {
    const { fingerprint } = embedder.info
    expect((await create({ model: 'mini' })).toJSON()).toEqual({ model: 'mini', fingerprint })
    await expect(create({ model: 'mini', fingerprint: 'another' })).rejects.toThrow(
      'they do not compare',
    )
    await expect(create({})).rejects.toThrow('create({ model })')
  })

  it('goes on after its models were freed', async () => {
    const qwen3 = await create({ model: 'mini' })
    await closeModels()
    expect(await qwen3.computeQueryEmbeddings('a')).toHaveLength(256)
  })
})

describe('the hybrid reranker', () => {
  it('puts both halves in one order', async () => {
    const table = await newTable('hybrid', { model: 'mini' })
    await table.createIndex('text', { config: Index.fts() })
    const reranker = await Reranker.load(fixture('rerank'))
    const hybrid = (words: string) =>
      table
        .query()
        .fullTextSearch(words)
        .nearestTo(embedder.embedQuery(words))
        .rerank(new Qwen3Reranker(reranker))
        .limit(4)
        .toArray()

    const query = 'the capital of Germany'
    const found = await hybrid(query)
    const texts = found.map(({ text }) => text as string)
    const expected = await reranker.rank(query, texts)
    expect(found.map((row) => row._relevance_score)).toEqual(
      expected.map(({ score }) => Math.fround(score)),
    )
    expect(expected.map(({ index }) => index)).toEqual(texts.map((_, i) => i))
    expect(new Set(texts).size).toBe(texts.length)
    expect(Float32Array.from(found[0].vector)).toHaveLength(256)

    // No word of it is in any text: the half that matches words is empty.
    expect(await hybrid('zyzzyva')).toHaveLength(4)
    await reranker.close()
  })

  it('says which column it misses', async () => {
    const table = await (await connect(folder)).openTable('hybrid')
    const reranker = new Qwen3Reranker(fixture('rerank'), { column: 'body' })
    const query = table.query().fullTextSearch('capital').nearestTo(embedder.embedQuery('capital'))
    await expect(query.rerank(reranker).toArray()).rejects.toThrow('the column "body"')
    await reranker.close()
  })
})

it('has an example that runs', () => {
  const args = ['examples/lancedb.js', fixture('rerank')]
  const lines = execFileSync(process.execPath, args, { encoding: 'utf8' }).split('\n')
  expect(lines[0]).toMatch(/^0\.4\d\d You can return/)
  expect(lines.filter((line) => line.startsWith('reranked'))).toHaveLength(2)
})
