import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Embedder, similarity } from 'qwen3-embed'
import { afterAll, describe, expect, it } from 'vitest'
import { type MergeOptions, merge, searchMerge } from '../dist/merge/index.js'
import { writeAdapter, writeMerged } from './fixtures/adapter.ts'
import { GgufReader } from './fixtures/gguf-reader.ts'
import { type FixtureName, fixture } from './fixtures/models.ts'

const folder = mkdtempSync(join(tmpdir(), 'merge-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string) => join(folder, name)

const names = [
  'blk.0.attn_q.weight',
  'blk.1.ffn_down.weight',
  'blk.2.attn_norm.weight',
  'output_norm.weight',
]

/** Values of a tensor in double. */
const values = (path: string, name: string) => Array.from(new GgufReader(path).values(name))
const dot = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0)

/** mergekit's slerp, as its source reads. */
function slerp(t: number, a: number[], b: number[]): number[] {
  const unit = (v: number[]) => {
    const length = Math.sqrt(dot(v, v))
    return length > 1e-8 ? v.map((x) => x / length) : v
  }
  const cosine = dot(unit(a), unit(b))
  const line = a.map((x, i) => (1 - t) * x + t * b[i]!)
  if (Math.abs(cosine) > 0.9995) return line
  const theta = Math.acos(cosine)
  const [s0, s1] = [
    Math.sin((1 - t) * theta) / Math.sin(theta),
    Math.sin(t * theta) / Math.sin(theta),
  ]
  return a.map((x, i) => s0 * x + s1 * b[i]!)
}

function ties(base: number[], others: number[][], density: number, lambda: number): number[] {
  const deltas = others.map((other) => {
    const delta = other.map((x, i) => Math.fround(x - base[i]!))
    const sorted = delta.map(Math.abs).sort((a, b) => b - a)
    const least = sorted[Math.floor(density * delta.length) - 1]!
    return delta.map((d) => (Math.abs(d) < least ? 0 : d))
  })
  return base.map((x, i) => {
    const sum = deltas.reduce((total, delta) => total + delta[i]!, 0)
    const agreeing = deltas.map((delta) => delta[i]!).filter((d) => d !== 0 && d > 0 === sum >= 0)
    return x + (lambda * agreeing.reduce((total, d) => total + d, 0)) / (agreeing.length || 1)
  })
}

function expectClose(path: string, name: string, expected: number[]) {
  const came = values(path, name)
  const largest = Math.max(...expected.map(Math.abs))
  const off = Math.max(...came.map((x, i) => Math.abs(x - expected[i]!))) / largest
  expect(off, `${name} of ${path}`).toBeLessThan(1e-6)
}

const [one, two] = [fixture('embed'), fixture('embed-other')]
const third = at('third.gguf')
writeMerged(third, new GgufReader(one), 'F32', [{ shape: { seed: 7, size: 0.4 } }])
const make = (name: string, more: Partial<MergeOptions>) =>
  merge({ models: [one, two], output: at(name), to: 'f32', ...more })

it("has mergekit's own slerp for a reference", () => {
  const path = new URL('fixtures/merge/slerp.json', import.meta.url)
  const { cases } = JSON.parse(readFileSync(path, 'utf8')) as {
    cases: { t: number; a: number[]; b: number[]; out: number[] }[]
  }
  expect(cases).toHaveLength(16)
  for (const { t, a, b, out } of cases) {
    for (const [i, x] of slerp(t, a, b).entries()) expect(x).toBeCloseTo(out[i]!, 12)
  }
})

describe('merging', () => {
  it('is slerp, by a number, over the layers, or by names', async () => {
    const [plain, layered, named] = ['plain.gguf', 'layered.gguf', 'named.gguf']
    const report = await make(plain, { t: 0.3 })
    expect(report.tensors).toBe(new GgufReader(one).tensors.size)
    await make(layered, { t: [0, 0.5, 1] })
    await make(named, { t: [{ filter: 'attn', t: 0.9 }, { t: 0.2 }] })
    for (const name of names) {
      const [a, b] = [values(one, name), values(two, name)]
      expectClose(at(plain), name, slerp(0.3, a, b))
      const layer = /^blk\.(\d)/.exec(name)?.[1]
      expectClose(at(layered), name, slerp(layer === undefined ? 1 : Number(layer) / 2, a, b))
      expectClose(at(named), name, slerp(name.includes('attn') ? 0.9 : 0.2, a, b))
    }
  })

  it('goes along the line where models are nearly parallel, and says so', async () => {
    const near = at('near.gguf')
    writeMerged(near, new GgufReader(one), 'F32', [{ shape: { size: 0.001 } }])
    const report = await merge({ models: [one, near], output: at('line.gguf'), to: 'f32', t: 0.5 })
    expect(report.straight).toBeGreaterThan(20)
    expectClose(
      at('line.gguf'),
      names[1]!,
      slerp(0.5, values(one, names[1]!), values(near, names[1]!)),
    )
  })

  it('is linear, task arithmetic, TIES', async () => {
    await make('linear.gguf', { method: 'linear', weights: [1, 3] })
    const models = [one, two, third]
    await make('task.gguf', { models, method: 'task', weights: [0.5, 2], lambda: 0.7 })
    await make('ties.gguf', { models, method: 'ties', density: 0.4, lambda: 0.8 })
    for (const name of names) {
      const [a, b, c] = [values(one, name), values(two, name), values(third, name)]
      expectClose(
        at('linear.gguf'),
        name,
        a.map((x, i) => (x + 3 * b[i]!) / 4),
      )
      expectClose(
        at('task.gguf'),
        name,
        a.map((x, i) => x + 0.7 * (0.5 * (b[i]! - x) + 2 * (c[i]! - x))),
      )
      expectClose(at('ties.gguf'), name, ties(a, [b, c], 0.4, 0.8))
    }
  })

  it('of several on the sphere keeps lengths, and of two is slerp halfway', async () => {
    await make('several.gguf', { models: [one, two], method: 'multi-slerp' })
    for (const name of names.slice(0, 3)) {
      const [a, b] = [values(one, name), values(two, name)]
      const unit = (v: number[]) => v.map((x) => x / Math.sqrt(dot(v, v)))
      const length = (Math.sqrt(dot(a, a)) + Math.sqrt(dot(b, b))) / 2
      expectClose(
        at('several.gguf'),
        name,
        slerp(0.5, unit(a), unit(b)).map((x) => length * x),
      )
    }
  })

  it.each(['embed-f16', 'embed-q8_0'] as FixtureName[])(
    'at its ends is a model to the bit (%s)',
    async (name) => {
      const a = fixture(name)
      const b = at(`b-${name}.gguf`)
      writeMerged(b, new GgufReader(a), name === 'embed-f16' ? 'F16' : 'Q8_0', [
        { shape: { size: 0.5 } },
      ])
      for (const [t, model] of [
        [0, a],
        [1, b],
      ] as const) {
        const output = at(`end-${t}-${name}.gguf`)
        await merge({ models: [a, b], output, t, to: 'same' })
        const [came, expected] = [new GgufReader(output), new GgufReader(model)]
        for (const { name: tensor, type } of expected.tensors.values()) {
          expect(came.tensor(tensor).type).toBe(type)
          const bytes = (reader: GgufReader) => Buffer.from(reader.values(tensor).buffer)
          expect(bytes(came).equals(bytes(expected)), tensor).toBe(true)
        }
      }
    },
  )
})

describe('an adapter in the weights', () => {
  it('is the adapter beside them', async () => {
    const base = fixture('embed-f16')
    const adapter = at('adapter.gguf')
    writeAdapter(adapter, new GgufReader(base), { rank: 4, alpha: 8, size: 0.2 })
    const merged = at('adapted.gguf')
    const report = await merge({
      models: [base],
      adapter: { path: adapter, scale: 0.5 },
      output: merged,
    })
    expect(report.meanKept).toBeGreaterThan(0.99)
    await using beside = await Embedder.load(base, { adapter: { path: adapter, scale: 0.5 } })
    await using within = await Embedder.load(merged)
    const texts = Array.from({ length: 50 }, (_, i) => `text number ${i} about wings`)
    const [x, y] = [await beside.embed(texts), await within.embed(texts)]
    for (const [i, vector] of x.entries()) expect(similarity(vector, y[i]!)).toBeGreaterThan(0.9999)
    expect(within.info.fingerprint).not.toBe(beside.info.fingerprint)
  })

  // A change of 0.2% of the weights: a Q8_0 grid keeps 6% of it, an F16 file all.
  it('is not lost in quantisation without a word', async () => {
    const q8 = fixture('embed-wide-q8_0')
    const f32 = fixture('embed-wide')
    const small = at('small.gguf')
    writeAdapter(small, new GgufReader(f32), { rank: 8, size: 0.002 })
    const output = at('lost.gguf')
    writeFileSync(output, 'as it was')
    const lost = merge({ models: [q8], adapter: small, output, to: 'same' })
    await expect(lost).rejects.toMatchObject({
      code: 'ERR_COMPUTE',
      facts: { kept: expect.toSatisfy((kept: number) => kept <= 10) },
      remedy: expect.stringContaining("to: 'f16'"),
    })
    expect(readFileSync(output, 'utf8')).toBe('as it was')
    expect(
      (await merge({ models: [q8], adapter: small, output, to: 'same', lossy: true })).meanKept,
    ).toBeLessThan(0.1)
    const kept = await merge({ models: [f32], adapter: small, output, to: 'q8_0' })
    expect(kept.meanKept).toBeGreaterThan(0.95)
    expect(kept.meanKept).toBeLessThan(1.05)
  })
})

// The share of a random change of rank 8, of so much of the weights, that is there after quantising to the type that the
// weights had. Expected: what was measured outside this code, on other numbers. Ours differ by 0.012 at most.
it.each([
  ['f16', [1, 1, 1]],
  ['bf16', [1, 1, 0.823]],
  ['q8_0', [1, 0.976, 0.069]],
  ['q4_K', [0.366, 0.009, 0.009]],
  ['q4_0', [0.264, 0.031, 0.031]],
])('keeps of a change what the grid keeps (%s)', async (to, shares) => {
  const f32 = fixture('embed-wide')
  const base = at(`base-${to}.gguf`)
  await merge({ models: [f32, f32], t: 0, to, output: base, lossy: true })
  for (const [i, size] of [0.05, 0.01, 0.002].entries()) {
    const adapter = at(`change-${to}.gguf`)
    writeAdapter(adapter, new GgufReader(base), { rank: 8, size })
    const options = { models: [base], adapter, to: 'same', output: at('kept.gguf'), lossy: true }
    const { meanKept } = await merge(options)
    expect(Math.abs(meanKept - shares[i]!), `${size}: ${meanKept}`).toBeLessThan(0.02)
  }
})

describe('refused', () => {
  it('what does not fit together, by name', async () => {
    const into = (more: object) =>
      merge({ models: [one, two], output: at('no.gguf'), ...more } as MergeOptions)
    await expect(into({ models: [one, fixture('embed-wide')] })).rejects.toMatchObject({
      code: 'ERR_MODEL_MISMATCH',
      problem: expect.stringMatching(/Expected tensor "/),
    })
    await expect(into({ models: [one, fixture('minilm')] })).rejects.toMatchObject({
      code: 'ERR_MODEL_MISMATCH',
    })
    await expect(into({ to: 'iq2_xxs' })).rejects.toMatchObject({ code: 'ERR_MODEL_UNSUPPORTED' })
    const cut = at('cut.gguf')
    writeFileSync(cut, readFileSync(two))
    truncateSync(cut, 200_000)
    await expect(into({ models: [one, cut] })).rejects.toMatchObject({ code: 'ERR_MODEL_INVALID' })
  })

  it.each([
    [{ models: [one] }, /two models or more, or one with adapters/],
    [{ t: 2 }, /numbers from 0 to 1 for the option t/],
    [{ method: 'sphere' }, /slerp, linear/],
    [{ weights: [1] }, /2 finite numbers/],
    [{ ratio: 1 }, /Unknown option/],
    [{ models: [one, two, third], method: 'slerp' }, /multi-slerp takes more/],
  ])('options that make no sense: %j', async (more, sentence) => {
    await expect(
      merge({ models: [one, two], output: at('no.gguf'), ...more } as MergeOptions),
    ).rejects.toThrow(sentence)
  })

  it('an abort', async () => {
    const reason = new Error('enough')
    await expect(make('aborted.gguf', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})

describe('the search for a t', () => {
  const subjects = ['a dog', 'the moon', 'an old ship', 'our engine', 'no letter', 'every river']
  const verbs = ['sleeps', 'burns slowly', 'went away', 'is loud', 'costs nothing', 'turns']
  const sentences = subjects.flatMap((subject) => verbs.map((verb) => `${subject} ${verb}`))
  const pairs = sentences.flatMap((left, i) =>
    [5, 11].map((step) => [left, sentences[(i + step) % sentences.length]!] as const),
  )
  // What is right is what the model says that the search is to find.
  const judgedBy = async (name: string, path: string) => {
    await using model = await Embedder.load(path)
    const [left, right] = [
      await model.embedDocuments(pairs.map(([text]) => text)),
      await model.embedDocuments(pairs.map(([, text]) => text)),
    ]
    const lines = pairs.map(([sentence1, sentence2], i) =>
      JSON.stringify({ sentence1, sentence2, score: 5 * similarity(left[i]!, right[i]!) }),
    )
    writeFileSync(at(name), lines.join('\n'))
    return at(name)
  }
  const find = (dev: string, output: string) =>
    searchMerge({
      models: [one, two],
      dev,
      output,
      to: 'f32',
      instruction: '',
      cacheDir: at('cache'),
    })

  it('finds the one that judges as the judge does, and leaves nothing else behind', async () => {
    await make('half.gguf', { t: 0.5 })
    const output = at('searched.gguf')
    const { scores, merged, difference } = await find(
      await judgedBy('half.jsonl', at('half.gguf')),
      output,
    )
    expect(scores.map(({ t }) => t)).toEqual([0, 0.25, 0.5, 0.75, 1])
    expect(scores[2]!.score).toBeCloseTo(1, 3)
    expect(difference.difference.low).toBeGreaterThan(0)
    expect(merged).toMatchObject({ output })
    expect(readFileSync(output).equals(readFileSync(at('half.gguf')))).toBe(true)
    for (const name of ['.t.gguf', '.best.gguf']) expect(existsSync(output + name)).toBe(false)
  }, 60_000)

  it('writes nothing where one of the two is best', async () => {
    const output = at('unmerged.gguf')
    const { scores, merged } = await find(await judgedBy('one.jsonl', one), output)
    expect(scores[0]!.score).toBeCloseTo(1, 3)
    expect(merged).toBeNull()
    for (const name of ['', '.t.gguf', '.best.gguf']) expect(existsSync(output + name)).toBe(false)
  }, 60_000)
})
