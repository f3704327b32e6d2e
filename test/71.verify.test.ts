import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defaultInstruction, inspect } from 'qwen3-embed'
import { afterAll, describe, expect, it } from 'vitest'
import { allowed, type Goldens, readGoldens } from '../lib/verify/goldens.ts'
import { publishedFor } from '../lib/verify/published.ts'
import { embeddingQuery, rerankPrompt } from './fixtures/golden-ids.ts'
import { fixture, type Qwen3Fixture } from './fixtures/models.ts'
import {
  cosine,
  readReference,
  referenceLogitDifference,
  referenceVector,
} from './fixtures/reference.ts'
import { endToken, referenceIds, referenceSegments } from './fixtures/reference-tokens.ts'

const cli = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'verify-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const queries = ['a question about cats', 'what is gravity?']
const documents = ['The cat sleeps.', 'Gravity attracts.', 'Nothing of the kind.']

/** A goldens file from the float64 reference, which shares no line with the engines. */
function embeddingGoldens(name: Qwen3Fixture): Goldens {
  const model = readReference(fixture(name))
  const idsOf = (text: string) => [...referenceIds(text, { size: 'small' }), endToken('small')]
  const queryIds = queries.map((query) => referenceSegments(embeddingQuery(query), 'small'))
  const vectors = documents.map((text) => referenceVector(model, idsOf(text)))
  const source = 'float64 reference'
  return {
    model: name,
    kind: 'embed',
    checks: [
      { check: 'tokens', source, inputs: documents, expected: documents.map(idsOf) },
      {
        check: 'tokens',
        source,
        instruction: defaultInstruction,
        inputs: queries,
        expected: [queryIds[0]!, queryIds[1]!.length],
      },
      {
        check: 'similarity',
        source,
        instruction: defaultInstruction,
        queries,
        documents,
        expected: queryIds.map((ids) => {
          const query = referenceVector(model, ids)
          return vectors.map((vector) => cosine(query, vector))
        }),
        tolerance: { F32: 1e-4, Q8_0: 0.01, other: 'order' },
      },
      {
        check: 'vector',
        source,
        text: documents[0]!,
        normalize: false,
        expected: Array.from(
          referenceVector(model, idsOf(documents[0]!), { normalize: false, dimensions: 32 }),
        ),
        tolerance: { F32: 1e-3, Q8_0: 0.05 },
      },
    ],
  }
}

function rerankGoldens(name: Qwen3Fixture): Goldens {
  const model = readReference(fixture(name))
  const ids = documents.map((text) => referenceSegments(rerankPrompt(queries[0]!, text), 'small'))
  const source = 'float64 reference'
  return {
    model: name,
    kind: 'rerank',
    checks: [
      {
        check: 'tokens',
        source,
        inputs: documents.map((text) => [queries[0]!, text] as const),
        expected: ids,
      },
      {
        check: 'logit',
        source,
        query: queries[0]!,
        documents,
        expected: ids.map((one) => referenceLogitDifference(model, one)),
        tolerance: { F32: 1e-3, other: 'order' },
      },
    ],
  }
}

function verify(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [cli, 'verify', ...args], (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    )
  })
}

function file(goldens: unknown): string {
  const path = join(folder, `${Math.random()}.json`)
  writeFileSync(path, JSON.stringify(goldens))
  return path
}

describe('verify', () => {
  it.each([
    ['embed', embeddingGoldens],
    ['embed-q8_0', embeddingGoldens],
    ['rerank', rerankGoldens],
    ['rerank-tied', rerankGoldens],
  ] as const)('reproduces goldens of %s made in float64', async (name, goldens) => {
    const { code, stdout } = await verify(fixture(name), '--goldens', file(goldens(name)))
    expect(stdout).toContain(`reproduces ${name}`)
    expect(stdout).not.toContain('OFF\n')
    expect(code).toBe(0)
  })

  it('says what is off, by how much, and exits with 1', async () => {
    const goldens = structuredClone(embeddingGoldens('embed')) as unknown as {
      checks: { expected: number[][] }[]
    }
    goldens.checks[0]!.expected[1]![2]!++
    goldens.checks[2]!.expected[0]![0]! += 0.001
    const { code, stdout } = await verify(fixture('embed'), '--goldens', file(goldens))
    expect(stdout).toMatch(/^tokens +Gravity attracts\. +#2: \d+ +#2: \d+ +equal +OFF$/m)
    expect(stdout).toMatch(/^similarity +.* 0\.0010 +0\.0001 +OFF$/m)
    expect(stdout.match(/ OFF$/gm)).toHaveLength(2)
    expect(stdout).toMatch(/does NOT reproduce embed in F32: 2 of 12 values off\.\n$/)
    expect(code).toBe(1)
  })

  it('tells a model from another one of its shape', async () => {
    const goldens = file(embeddingGoldens('embed'))
    const { code, stdout } = await verify(fixture('embed-other'), '--goldens', goldens)
    expect(stdout).toMatch(/^tokens .* ok$/m)
    expect(stdout).toMatch(/^similarity .* OFF$/m)
    expect(stdout).toMatch(/^vector .* OFF$/m)
    expect(code).toBe(1)
  })

  it('reproduces the bundled model with both engines', async () => {
    const runs = await Promise.all([
      verify('--json'),
      verify('mini', '--json', '--engine', 'generic'),
    ])
    for (const [i, { code, stdout }] of runs.entries()) {
      const { passed, engine, results } = JSON.parse(stdout)
      expect({ code, passed, engine }).toEqual({
        code: 0,
        passed: true,
        engine: ['packed', 'generic'][i],
      })
      expect(results).toHaveLength(28)
    }
  })

  it.each([
    ['embed-full', 8],
    ['rerank-full', 6],
  ] as const)("checks Qwen's ids on %s, for which no vectors are published", async (name, n) => {
    const { code, stdout } = await verify(fixture(name), '--json')
    const { results, goldens } = JSON.parse(stdout)
    expect(goldens).toContain('no vectors are published')
    expect(results.map((one: { check: string }) => one.check)).toEqual(new Array(n).fill('tokens'))
    expect(results.filter((one: { passed: boolean }) => !one.passed)).toEqual([])
    expect(code).toBe(0)
  })

  it('says so when nothing is published', async () => {
    const { code, stderr } = await verify(fixture('embed'))
    expect(stderr).toContain('bring numbers with --goldens FILE')
    expect(code).toBe(1)
  })

  it('refuses goldens of the other kind, and files that are none', async () => {
    const other = await verify(fixture('embed'), '--goldens', file(rerankGoldens('rerank')))
    expect(other.stderr).toContain('ERR_MODEL_MISMATCH')
    const none = await verify(fixture('embed'), '--goldens', file({ model: 'x', kind: 'embed' }))
    expect(none.stderr).toContain('checks')
    expect([other.code, none.code]).toEqual([1, 1])
  })
})

describe('goldens', () => {
  const check = {
    check: 'similarity',
    queries: ['q'],
    documents: ['d'],
    expected: [[1]],
    tolerance: 0.1,
  }

  it.each([
    ['no JSON', '{', /is no JSON/],
    ['an array', '[]', /Expected an object for f$/],
    ['no kind', { model: 'm', checks: [check] }, /"embed" or "rerank" for f: kind/],
    ['a check of the other kind', { kind: 'rerank', checks: [check] }, /checks\[0\]\.check/],
    [
      'a matrix of another shape',
      { checks: [{ ...check, documents: [] }] },
      /array of 0 .*expected/,
    ],
    [
      'a value that is no number',
      { checks: [{ ...check, expected: [['1']] }] },
      /numbers .*expected/,
    ],
    ['no tolerance', { checks: [{ ...check, tolerance: {} }] }, /"order".*tolerance/],
    ['an unknown check', { checks: [{ check: 'speed', tolerance: 1 }] }, /"tokens", "similarity"/],
    [
      'a pair for an embedding model',
      { checks: [{ check: 'tokens', inputs: [['a', 'b']], expected: [1] }] },
      /texts/,
    ],
  ])('with %s are refused', (_, content, message) => {
    const json =
      typeof content === 'string'
        ? content
        : JSON.stringify({ model: 'm', kind: 'embed', ...content })
    const text = _ === 'no kind' ? JSON.stringify(content) : json
    expect(() => readGoldens(text, 'f')).toThrow(message)
  })

  it('have a tolerance for each type of weights', () => {
    expect(allowed(0.1, 'Q8_0')).toBe(0.1)
    expect(allowed({ Q8_0: 0.2, other: 'order' }, 'Q8_0')).toBe(0.2)
    expect(allowed({ Q8_0: 0.2, other: 0.5 }, 'Q4_K')).toBe(0.5)
    expect(allowed({ Q8_0: 0.2 }, 'Q4_K')).toBe('order')
  })
})

describe('published goldens', () => {
  it.each([
    [
      'Qwen3-Embedding-0.6B',
      28,
      1024,
      151_669,
      'last',
      ['tokens', 'tokens', 'similarity', 'similarity', 'vector'],
    ],
    ['Qwen3-Embedding-4B', 36, 2560, 151_665, 'last', ['tokens', 'tokens', 'similarity']],
    ['Qwen3-Embedding-8B', 36, 4096, 151_665, 'last', ['tokens', 'tokens', 'similarity']],
    ['Qwen3-Reranker-0.6B', 28, 1024, 151_669, 'rank', ['tokens', 'tokens', 'logit', 'logit']],
    ['Qwen3-Reranker-4B', 36, 2560, 151_669, 'rank', ['tokens', 'tokens', 'logit']],
    ['Qwen3-Reranker-8B', 36, 4096, 151_669, 'rank', ['tokens', 'tokens']],
  ] as const)(
    'are found for %s by its shape',
    async (name, layers, width, vocabulary, pooling, kinds) => {
      const facts = await inspect(fixture('embed'))
      const info = { ...facts, name: '', layers, width, vocabulary, pooling }
      const goldens = publishedFor(info, false)!
      expect(goldens.model).toBe(name)
      expect(goldens.checks.map((one) => one.check)).toEqual(kinds)
      // What a file may bring is what we bring.
      expect(readGoldens(JSON.stringify(goldens), name)).toEqual(goldens)
    },
  )

  it('are those of a reranker for a file without a head that is called one', async () => {
    const facts = await inspect(fixture('rerank-tied'))
    const info = { ...facts, name: 'Qwen3 Reranker 0.6B', pooling: null, vocabulary: 151_669 }
    expect(publishedFor(info, false)?.kind).toBe('rerank')
  })

  it('do not exist for another architecture', async () => {
    const facts = await inspect(fixture('embed-full'))
    expect(publishedFor({ ...facts, architecture: 'bert' }, false)).toBeUndefined()
  })
})
