// What callers rely on beside the vectors: callbacks, errors, other realms, families.
import { readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect as inspected } from 'node:util'
import { createContext, runInContext } from 'node:vm'
import {
  chunk,
  Embedder,
  hamming,
  inspect,
  type Progress,
  Qwen3Error,
  quantize,
  Reranker,
  search,
  searchBinary,
} from 'qwen3-embed'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { familyOf, withTemplate } from '../lib/families.ts'
import { poolingOf } from '../lib/info.ts'
import { wrap } from '../lib/native.ts'
import { string, writeGguf } from './fixtures/gguf-writer.ts'
import { fixture } from './fixtures/models.ts'

let embedder: Embedder
beforeAll(async () => {
  embedder = await Embedder.load('mini')
})
afterAll(() => embedder.close())

const texts = Array.from({ length: 400 }, (_, i) => `a passage, number ${i}`)

describe('a callback that throws', () => {
  const reason = new Error('the caller’s own')

  it.each([
    [
      'at once',
      () => {
        throw reason
      },
    ],
    ['later', () => Promise.reject(reason)],
  ] as const)('%s rejects its call, and no other', async (_, onProgress) => {
    const other = embedder.embedDocuments(texts)
    await expect(embedder.embedDocuments(texts, { onProgress })).rejects.toBe(reason)
    await expect(Embedder.load('mini', { onProgress })).rejects.toBe(reason)
    await using reranker = await Reranker.load(fixture('rerank'))
    await expect(reranker.rank('q', texts.slice(0, 20), { onProgress })).rejects.toBe(reason)
    expect(await other).toHaveLength(400)
    expect(await embedder.embedQuery('alive')).toHaveLength(256)
  })
})

describe('Qwen3Error', () => {
  it('is known across copies of the package', () => {
    const brand = Symbol.for('qwen3-embed.Qwen3Error')
    const foreign = Object.assign(new Error('x'), { [brand]: true })
    expect(foreign).toBeInstanceOf(Qwen3Error)
    expect(new Qwen3Error('ERR_CLOSED', 'x')).toBeInstanceOf(Error)
    expect(new Error('x')).not.toBeInstanceOf(Qwen3Error)
    class Mine extends Qwen3Error {}
    expect(new Qwen3Error('ERR_CLOSED', 'x')).not.toBeInstanceOf(Mine)
    expect(new Mine('ERR_CLOSED', 'x')).toBeInstanceOf(Mine)
  })

  it('carries its remedy apart from its problem', async () => {
    const error = await embedder.embedEach(['word '.repeat(20_000)]).then(([one]) => one!.error!)
    expect(error.facts).toMatchObject({ index: 0 })
    expect(error.problem).not.toMatch(/Text 0|Shorten/)
    expect(error.remedy).toMatch(/^Shorten it.*\.$/)
    expect(error.message).toBe(`Text 0: ${error.problem}. ${error.remedy}`)
  })

  it('is made of a native failure of any realm', () => {
    const context = createContext({})
    const foreign = runInContext(
      `Object.assign(new Error('Expected a.b but x is c.'), { code: 'ERR_COMPUTE', facts: {}, remedy: 'Do d.' })`,
      context,
    )
    expect(foreign instanceof Error).toBe(false)
    expect(wrap(foreign)).toMatchObject({ problem: 'Expected a.b but x is c', remedy: 'Do d.' })
    const whole = { message: 'A. B.', code: 'ERR_COMPUTE', facts: {}, remedy: 'Own.' }
    expect(wrap(whole)).toMatchObject({ problem: 'A. B', remedy: 'Own.' })
  })
})

describe('values of another realm', () => {
  it('are what they are', async () => {
    const context = createContext({ AbortController })
    const ids = runInContext('Int32Array.of(1, 2, 3)', context)
    const list = runInContext('["a text"]', context)
    expect(ids instanceof Int32Array).toBe(false)
    expect(await embedder.embed([ids])).toEqual(await embedder.embed([Int32Array.of(1, 2, 3)]))
    expect(await embedder.embedDocuments(list)).toHaveLength(1)
    const bits = runInContext('Int8Array.of(1, 2)', context)
    expect(hamming(bits, Int8Array.of(1, 3))).toBe(1)
    expect(() => hamming(bits, Uint8Array.of(1, 3))).toThrow(TypeError)
  })
})

describe('a hole in a list', () => {
  it('is a missing text, by its index', async () => {
    // biome-ignore lint/suspicious/noSparseArray: that is what is tried
    const holed = ['a', , 'b'] as never
    for (const ask of [embedder.embedDocuments(holed), embedder.embedEach(holed)]) {
      await expect(ask).rejects.toThrow(/texts\[1\] but received undefined/)
    }
    await using reranker = await Reranker.load(fixture('rerank'))
    await expect(reranker.rank('q', holed)).rejects.toThrow(/documents\[1\]/)
    await expect(embedder.embedDocuments([[1, 2]] as never)).rejects.toThrow(/texts\[0\]/)
  })
})

describe('console.log of a model', () => {
  it('says what it is', async () => {
    expect(inspected(embedder)).toMatch(/^Embedder \{[\s\S]*mini-embed[\s\S]*dimensions: 256/)
    await using reranker = await Reranker.load(fixture('rerank'))
    expect(inspected(reranker)).toMatch(/^Reranker \{[\s\S]*architecture: 'qwen3'/)
  })
})

describe('countTokens', () => {
  it('takes a list', async () => {
    const counts = await embedder.countTokens(['a', 'two words', ''])
    expect(counts).toEqual(
      await Promise.all(['a', 'two words', ''].map((text) => embedder.countTokens(text))),
    )
    expect(await embedder.countTokens([])).toEqual([])
  })
})

describe('search', () => {
  it('finds what a full sort finds, in every form of vector', async () => {
    const vectors = await embedder.embedDocuments(texts)
    const query = await embedder.embedQuery('number 77')
    const dot = (a: Float32Array, b: ArrayLike<number>) =>
      a.reduce((sum, x, i) => sum + x * b[i]!, 0)
    const all = vectors
      .map((vector, index) => ({ index, score: dot(query, vector) }))
      .sort((a, b) => b.score - a.score || a.index - b.index)
    for (const topN of [1, 7, 400, 1000]) {
      const found = search(query, vectors, topN)
      expect(found.map(({ index }) => index)).toEqual(all.slice(0, topN).map(({ index }) => index))
    }
    const same = [vectors[0]!, vectors[0]!, vectors[0]!]
    expect(search(query, same, 2).map(({ index }) => index)).toEqual([0, 1])
    expect(search(query, quantize(vectors, 'ubinary'), 5)).toHaveLength(5)
    expect(
      searchBinary(quantize([query], 'ubinary')[0]!, quantize(vectors, 'ubinary'), 3),
    ).toHaveLength(3)
    expect(() => search(query, vectors, 0)).toThrow(RangeError)
  })
})

describe('families', () => {
  it.each([
    ['qwen3', 'Qwen3 Embedding', 'Instruct: do\nQuery:', 'last'],
    ['qwen2', 'gte-Qwen2-1.5B-instruct', 'Instruct: do\nQuery: ', 'last'],
    ['bert', 'multilingual-e5-large-instruct', 'Instruct: do\nQuery: ', undefined],
    ['llama', 'e5-mistral-7b-instruct', 'Instruct: do\nQuery: ', undefined],
    ['gemma-embedding', 'embeddinggemma-300m', 'task: do | query: ', 'mean'],
  ])('%s %s writes an instruction in its form', (architecture, name, prefix, pooling) => {
    const family = familyOf(architecture, name, '/x.gguf')
    expect(family.instructed?.('do')).toBe(prefix)
    expect(family.instructed?.(' ')).toBe('')
    expect(family.pooling).toBe(pooling)
  })

  it.each([
    ['bert', 'e5-base-v2', 'query: ', 'passage: '],
    ['bert', 'multilingual-e5-small', 'query: ', 'passage: '],
    ['bert', 'bge-small-en-v1.5', 'Represent this sentence for searching relevant passages: ', ''],
    ['bert', 'bge-large-zh-v1.5', '为这个句子生成表示以用于检索相关文章：', ''],
    ['bert', 'bge-m3', '', ''],
    ['nomic-bert', 'x', 'search_query: ', 'search_document: '],
    ['gemma-embedding', 'x', 'task: search result | query: ', 'title: none | text: '],
    ['bert', 'all-MiniLM-L6-v2', '', ''],
  ])('%s %s has prefixes', (architecture, name, query, document) => {
    expect(familyOf(architecture, '', `/models/${name}.gguf`)).toMatchObject({ query, document })
  })

  it('take no instruction that they were not trained with', async () => {
    await using minilm = await Embedder.load(fixture('minilm'))
    const asked = minilm.embedQuery('text', { instruction: 'Given a question, find …' })
    await expect(asked).rejects.toThrow(/takes no instruction.*template/)
    expect(await minilm.embedQuery('text')).toEqual((await minilm.embed(['text']))[0])
  })

  it('may be told by a template', async () => {
    await using minilm = await Embedder.load(fixture('minilm'), {
      template: { query: 'find {instruction}: {text}', document: 'passage: {text}' },
    })
    const [query] = await minilm.embed(['find cats: text'])
    expect(await minilm.embedQuery('text', { instruction: 'cats' })).toEqual(query)
    const [document] = await minilm.embed(['passage: text'])
    expect((await minilm.embedDocuments(['text']))[0]).toEqual(document)
    expect(await minilm.embed(['text'], { role: 'document' })).toEqual([document])
    await expect(
      Embedder.load('mini', { template: { query: '{text} at the start' } }),
    ).rejects.toThrow(/ends in \{text\}/)
    expect(withTemplate(familyOf('bert', '', ''), { query: 'q: {text}' }).instructed).toBe(
      undefined,
    )
  })
})

describe('a declared pooling', () => {
  it('that gives no vector for a text is never applied silently', () => {
    expect(poolingOf('none', 'last')).toBe('last')
    expect(poolingOf('none', undefined)).toBe('last')
    expect(poolingOf('cls', 'last')).toBe('cls')
    expect(poolingOf(null, 'mean')).toBe('mean')
  })

  it('against its family is a finding, and a warning of load', async () => {
    const path = patched('embed', 'qwen3.pooling_type', 1)
    const { findings } = await inspect(path)
    expect(findings).toMatchObject([
      { fatal: false, what: expect.stringMatching(/mean pooling.*trained with last/) },
    ])
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
    await using odd = await Embedder.load(path)
    expect(await warned).toMatchObject({ code: 'QWEN3_POOLING', name: 'Qwen3Warning' })
    expect(odd.info.findings).toHaveLength(1)
    await using rows = await Embedder.load(patched('embed', 'qwen3.pooling_type', 0))
    expect(await rows.embedQuery('text')).toHaveLength(rows.dimensions)
  })
})

describe('an adapter', () => {
  it('is told from a damaged model', async () => {
    const path = join(tmpdir(), `adapter-${process.pid}.gguf`)
    writeGguf(path, {
      metadata: [
        ['general.architecture', string('qwen3')],
        ['general.type', string('adapter')],
        ['adapter.type', string('lora')],
      ],
      tensors: [],
    })
    await expect(Embedder.load(path)).rejects.toMatchObject({
      code: 'ERR_MODEL_UNSUPPORTED',
      problem: expect.stringContaining('is an adapter (LoRA)'),
      facts: { type: 'adapter' },
    })
    expect((await inspect(path)).findings[0]).toMatchObject({
      fatal: true,
      what: expect.stringMatching(/adapter/),
    })
  })
})

describe('chunk', () => {
  const markdown = [
    '---\ntitle: "The manual"\n---',
    '# Money',
    'You get it back within thirty days. '.repeat(60),
    '## Cards',
    'Short.',
    '```js\nconst a = 1\n\n# no heading\n```',
    '## Cash\n\nSee the counter.',
  ].join('\n\n')

  it('follows sections, counts exactly, and keeps places', async () => {
    const chunks = await chunk(markdown, embedder, { maxTokens: 120, targetTokens: 80 })
    for (const { text, start, end, line, input, tokens, head } of chunks) {
      expect(text).toBe(markdown.slice(start, end))
      expect(markdown.slice(0, start).split('\n')).toHaveLength(line)
      expect(input).toBe(`${head}\n${text}`)
      expect(tokens).toBe(await embedder.countTokens(input))
      expect(tokens).toBeLessThanOrEqual(120)
    }
    const heads = [...new Set(chunks.map(({ head }) => head))]
    expect(heads).toEqual([
      'The manual > Money',
      'The manual > Money > Cards',
      'The manual > Money > Cash',
    ])
    const code = chunks.find(({ text }) => text.includes('const a'))!
    expect(code.text).toContain('# no heading\n```')
    // Every word of the body is in some chunk.
    const covered = new Set(chunks.flatMap(({ start, end }) => range(start, end)))
    for (let i = markdown.indexOf('# Money'); i < markdown.length; i++) {
      if (/\S/.test(markdown[i]!)) expect(covered.has(i), `${i} ${markdown[i]}`).toBe(true)
    }
  })

  it('overlaps only where it had to cut, and never splits a character', async () => {
    const emoji = '🙂'.repeat(900)
    const chunks = await chunk(emoji, embedder, { maxTokens: 64 })
    expect(chunks.length).toBeGreaterThan(3)
    for (const { text } of chunks) expect(text.isWellFormed()).toBe(true)
    const two = await chunk('# A\n\none\n\n# B\n\ntwo', embedder)
    expect(two.map(({ text }) => text)).toEqual(['# A\n\none', '# B\n\ntwo'])
    expect(await chunk(' \n\n ', embedder)).toEqual([])
    await expect(chunk('a', embedder, { maxTokens: 3 })).rejects.toThrow(RangeError)
  })

  it('sees headings of wikis, underlined ones, and no others', async () => {
    const heads = async (text: string, format: 'markdown' | 'text') =>
      (await chunk(text, embedder, { format })).map(({ head }) => head)
    const wiki = ' = Oslo = \n one \n = = History = = \n two \n'
    const underlined = 'Oslo\n====\n\none\n\nHistory\n-------\ntwo'
    for (const text of [wiki, underlined])
      for (const format of ['markdown', 'text'] as const)
        expect(await heads(text, format)).toEqual(['Oslo', 'Oslo > History'])
    expect(await heads('= Oslo\n\none\n\n== History\n\ntwo', 'text')).toEqual([
      'Oslo',
      'Oslo > History',
    ])
    for (const plain of [
      'a = b = c',
      '= a ==',
      'one\ntwo\n---\nthree',
      '- item\n---',
      '| a |\n---',
    ])
      expect(await heads(plain, 'markdown')).toEqual([''])
    const fenced = '```\nOslo\n====\n```'
    expect(await heads(fenced, 'markdown')).toEqual([''])
  })

  it('takes plain text as it is', async () => {
    const [one] = await chunk('# not a heading\n\ntext', embedder, { format: 'text', title: 'T' })
    expect(one).toMatchObject({ head: 'T', input: 'T\n# not a heading\n\ntext', line: 1 })
  })
})

const range = (start: number, end: number) =>
  Array.from({ length: end - start }, (_, i) => start + i)

/** A fixture with another value of a u32 in its metadata. */
function patched(name: 'embed', key: string, value: number): string {
  const bytes = readFileSync(fixture(name))
  const at = bytes.indexOf(key) + key.length
  bytes.writeUInt32LE(value, at + 4)
  const path = join(tmpdir(), `patched-${process.pid}-${value}.gguf`)
  writeFileSync(path, bytes)
  return path
}

it('reports progress in one shape', async () => {
  const seen: Progress[] = []
  await embedder.embedDocuments(texts, { onProgress: (progress) => seen.push(progress) })
  expect(Object.keys(seen[0]!).sort()).toEqual(['done', 'eta', 'phase', 'rate', 'total', 'unit'])
})
