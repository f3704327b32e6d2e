import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { brokenModels } from './fixtures/broken.ts'
import { GgufReader } from './fixtures/gguf-reader.ts'
import {
  arrayOf,
  type GgufValue,
  scalar,
  writeGguf,
  writeSplitGguf,
} from './fixtures/gguf-writer.ts'
import {
  goldens,
  redPlanetDocuments,
  redPlanetPromptLengths,
  redPlanetQuery,
  rerankPrompt,
} from './fixtures/golden-ids.ts'
import { fromBrain, fromHalf, toBrain, toHalf } from './fixtures/half.ts'
import { brokenFixture, fixture } from './fixtures/models.ts'
import { dequantize, quantize } from './fixtures/quantize.ts'
import { noToken, yesToken } from './fixtures/qwen3-model.ts'
import { fillNormal } from './fixtures/random.ts'
import {
  cosine,
  readReference,
  referenceHidden,
  referenceLogitDifference,
  referenceVector,
} from './fixtures/reference.ts'
import { endToken, referenceIds, referenceSegments } from './fixtures/reference-tokens.ts'
import { byteLength, type TensorType, tensorTypes } from './fixtures/tensor-types.ts'
import { vocabulary } from './fixtures/vocabulary.ts'

const folder = mkdtempSync(join(tmpdir(), 'fixtures-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('16-bit floats', () => {
  it('survive the way to float32 and back, all of them', () => {
    const different = (to: (x: number) => number, from: (bits: number) => number) =>
      Array.from({ length: 65536 }, (_, bits) => bits).filter(
        (bits) => !Number.isNaN(from(bits)) && to(from(bits)) !== bits,
      )
    expect(different(toHalf, fromHalf)).toEqual([])
    expect(different(toBrain, fromBrain)).toEqual([])
  })

  it('round to nearest, ties to even', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0x7bfe }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (bits, t) => {
          const [low, high] = [fromHalf(bits), fromHalf(bits + 1)]
          const x = Math.fround(low + (high - low) * t)
          const middle = (low + high) / 2
          const nearest = x < middle ? bits : x > middle ? bits + 1 : bits + (bits & 1)
          expect(toHalf(x)).toBe(nearest)
        },
      ),
    )
  })
})

describe('quantization', () => {
  // Largest root mean square error of normal values, as a part of their deviation.
  const bounds: Record<TensorType, number> = {
    F32: 0,
    F16: 0.0003,
    BF16: 0.002,
    Q8_0: 0.006,
    Q6_K: 0.02,
    Q5_K: 0.04,
    Q4_K: 0.08,
    Q4_0: 0.09,
  }

  it.each(Object.entries(bounds))('to %s loses at most %f', (name, bound) => {
    const type = name as TensorType
    const values = new Float32Array(256 * 40)
    fillNormal(values, 0, values.length, 7, 0, 0.05)
    const bytes = quantize(type, values)
    expect(bytes.length).toBe(byteLength(type, [values.length]))
    const back = dequantize(type, bytes)
    const squares = back.reduce((sum, x, i) => sum + (x - values[i]!) ** 2, 0)
    expect(Math.sqrt(squares / values.length) / 0.05).toBeLessThanOrEqual(bound)
  })

  it.each(Object.keys(bounds))('to %s keeps zeros zero', (name) => {
    const type = name as TensorType
    expect(dequantize(type, quantize(type, new Float32Array(256))).every((x) => x === 0)).toBe(true)
  })

  it('refuses a row that does not divide into blocks', () => {
    expect(() => quantize('Q8_0', new Float32Array(33))).toThrow(/does not divide/)
  })
})

describe('a GGUF', () => {
  const metadata: [string, GgufValue][] = [
    ['small', scalar('u8', 255)],
    ['signed', scalar('i8', -128)],
    ['wide', scalar('i64', -(2n ** 50n))],
    ['wider', scalar('u64', 2n ** 50n)],
    ['half', scalar('f64', 0.1)],
    ['yes', scalar('bool', true)],
    ['text', scalar('string', 'naïve 東京 🙂')],
    ['texts', arrayOf('string', ['a', '', 'ü'.repeat(40_000)])],
    [
      'numbers',
      arrayOf(
        'i32',
        Array.from({ length: 30_000 }, (_, i) => -i),
      ),
    ],
    ['none', arrayOf('f32', [])],
  ]
  const values = new Float32Array(96).map((_, i) => i)
  const tensors = (['F32', 'F16', 'Q8_0'] as const).map((type) => ({
    name: `of.${type}`,
    type,
    shape: [32, 3],
    chunks: () => [0, 1, 2].map((row) => quantize(type, values.subarray(row * 32, row * 32 + 32))),
  }))

  it.each([32, 64, 4096])('aligned to %i reads as it was written', (alignment) => {
    const path = join(folder, `${alignment}.gguf`)
    writeGguf(path, { metadata, tensors, alignment })
    const file = new GgufReader(path)
    expect(file.metadata.get('wide')).toBe(-(2 ** 50))
    expect(file.metadata.get('text')).toBe('naïve 東京 🙂')
    expect(file.strings('texts').map((text) => text.length)).toEqual([1, 0, 40_000])
    expect(file.metadata.get('numbers')).toHaveLength(30_000)
    expect(file.metadata.get('none')).toEqual([])
    expect(file.values('of.F32')).toEqual(values)
    expect(file.row('of.F16', 2)).toEqual(values.subarray(64))
    expect(file.row('of.Q8_0', 1)[31]).toBeCloseTo(63, 1)
    for (const tensor of file.tensors.values()) expect(tensor.offset % alignment).toBe(0)
    expect(statSync(path).size % alignment).toBe(0)
  })

  it('in parts reads as one', () => {
    const paths = writeSplitGguf(join(folder, 'split'), 3, { metadata, tensors })
    expect(paths[2]).toMatch(/split-00003-of-00003\.gguf$/)
    const file = new GgufReader(paths[0]!)
    expect([...file.tensors.keys()]).toEqual(['of.F32', 'of.F16', 'of.Q8_0'])
    expect(file.row('of.F16', 2)).toEqual(values.subarray(64))
    expect(new GgufReader(paths[1]!).tensors.size).toBe(1)
    expect(file.metadata.get('split.tensors.count')).toBe(3)
  })

  it('is not written when a tensor gives too few bytes', () => {
    const short = { ...tensors[0]!, chunks: () => [new Uint8Array(8)] }
    const write = () => writeGguf(join(folder, 'short.gguf'), { metadata, tensors: [short] })
    expect(write).toThrow(/384 bytes long but 8/)
  })
})

describe('the vocabulary', () => {
  it('is all of Qwen3', () => {
    const { tokens, types, merges, added } = vocabulary('full')
    expect(tokens.length).toBe(151_669)
    expect(types.length).toBe(151_669)
    expect(merges.length).toBe(151_387)
    expect(added).toBe(151_643)
    expect(tokens.slice(added, added + 3)).toEqual(['<|endoftext|>', '<|im_start|>', '<|im_end|>'])
    expect([tokens[yesToken], tokens[noToken]]).toEqual(['yes', 'no'])
    expect(tokens.indexOf('<think>')).toBe(151_667)
    expect(types[151_667]).toBe(4)
    expect(types[added]).toBe(3)
    expect(new Set(tokens).size).toBe(tokens.length)
  })

  it('begins with the small one', () => {
    const [small, full] = [vocabulary('small'), vocabulary('full')]
    expect(small.tokens.slice(0, small.added)).toEqual(full.tokens.slice(0, small.added))
    expect(small.tokens.slice(small.added)).toEqual(full.tokens.slice(full.added))
    const fromMerges = small.merges.map((merge) => merge.replace(' ', ''))
    expect(small.tokens.slice(256, small.added)).toEqual(fromMerges)
  })
})

describe('the reference tokenizer', () => {
  it.each(goldens)('gives the published ids of $name', ({ segments, ids }) => {
    expect(referenceSegments(segments)).toEqual(ids)
  })

  it('gives the published lengths of rerank prompts', () => {
    const lengths = redPlanetDocuments.map(
      (document) => referenceSegments(rerankPrompt(redPlanetQuery, document)).length,
    )
    expect(lengths).toEqual(redPlanetPromptLengths)
  })

  it('leaves control tokens in user text as text', () => {
    expect(referenceIds('<|im_end|>')).toEqual([27, 91, 318, 6213, 91, 29])
    expect(referenceIds('<|im_end|>', { recognised: 'template' })).toEqual([151_645])
    expect(referenceIds('<think>')).toEqual([151_667])
    expect(referenceIds('<think>', { recognised: 'none' })).toEqual([13_708, 766, 29])
  })

  it('knows composed and decomposed letters as the same', () => {
    expect(referenceIds('cafe\u0301')).toEqual(referenceIds('caf\u00e9'))
  })

  it('takes for white space what Unicode does, not what JavaScript does', () => {
    expect(referenceIds("\u0085's")).toEqual([126, 227, 594])
  })

  it('gives the same ids with the small vocabulary where its merges suffice', () => {
    expect(referenceIds('Explain the law', { size: 'small' })).toEqual(
      referenceIds('Explain the law'),
    )
    expect(endToken('small')).toBe(24_320)
  })
})

describe('the reference pass', () => {
  const model = readReference(fixture('embed'))
  const ids = [785, 6722, 315, 5616, 374, 264, 3283, endToken('small')]

  it('does not look ahead', () => {
    const hidden = referenceHidden(model, ids)
    const changed = referenceHidden(model, [...ids.slice(0, 5), 99, 100, 101])
    expect(changed.slice(0, 5)).toEqual(hidden.slice(0, 5))
    expect(changed[5]).not.toEqual(hidden[5])
    expect(referenceHidden(model, ids.slice(0, 5))).toEqual(hidden.slice(0, 5))
  })

  it('minds the order of tokens', () => {
    const swapped = [ids[1]!, ids[0]!, ...ids.slice(2)]
    const vectors = [referenceVector(model, ids), referenceVector(model, swapped)]
    expect(cosine(vectors[0]!, vectors[1]!)).toBeLessThan(0.999)
  })

  it('pools, cuts and then normalises', () => {
    const hidden = referenceHidden(model, ids)
    const raw = { normalize: false } as const
    expect(referenceVector(model, ids, raw)).toEqual(hidden.at(-1))
    expect(referenceVector(model, ids, { ...raw, pooling: 'cls' })).toEqual(hidden[0])
    const mean = referenceVector(model, ids, { ...raw, pooling: 'mean' })
    expect(mean[5]).toBeCloseTo(hidden.reduce((sum, row) => sum + row[5]!, 0) / ids.length, 12)
    const cut = referenceVector(model, ids, { dimensions: 32 })
    expect(cut.length).toBe(32)
    expect(Math.hypot(...cut)).toBeCloseTo(1, 12)
    expect(cosine(cut, hidden.at(-1)!.slice(0, 32))).toBeCloseTo(1, 12)
  })

  it('tells texts apart', () => {
    const texts = ['The capital of China is Beijing.', 'Gravity is a force.', 'hello world']
    const vectors = texts.map((text) =>
      referenceVector(model, [...referenceIds(text, { size: 'small' }), endToken('small')]),
    )
    for (const [a, b] of [
      [0, 1],
      [0, 2],
      [1, 2],
    ] as const) {
      expect(Math.abs(cosine(vectors[a]!, vectors[b]!))).toBeLessThan(0.9)
    }
  })

  it('reads the same model from one file and from three', () => {
    const split = readReference(fixture('embed-split'))
    expect(referenceVector(split, ids)).toEqual(referenceVector(model, ids))
  })

  it('ranks by the head, or else by the rows of yes and no', () => {
    const score = (name: 'rerank' | 'rerank-tied' | 'rerank-untied') =>
      referenceLogitDifference(readReference(fixture(name)), ids)
    expect(score('rerank-tied')).toBe(score('rerank'))
    expect(score('rerank-untied')).not.toBe(score('rerank'))
    expect(Math.abs(score('rerank'))).toBeLessThan(20)
  })

  // Small random models magnify rounding: the bounds are far looser than those of real ones.
  it.each([
    ['embed-q8_0', 'embed', 0.9995],
    ['embed-bf16', 'embed', 0.9995],
    ['embed-f16', 'embed', 0.999_99],
    ['embed-q4_k_m', 'embed-wide', 0.95],
  ] as const)('of %s is near that of %s', (name, exact, bound) => {
    const vectors = [name, exact].map((one) => referenceVector(readReference(fixture(one)), ids))
    expect(cosine(vectors[0]!, vectors[1]!)).toBeGreaterThan(bound)
  })

  it('computes no number of a poisoned token, and of no other', () => {
    const poisoned = readReference(fixture('embed-poisoned'))
    const vector = (text: string) =>
      referenceVector(poisoned, referenceIds(text, { size: 'small' }))
    expect(vector('a~b').every((x) => Number.isNaN(x))).toBe(true)
    expect(vector('a-b').every((x) => Number.isFinite(x))).toBe(true)
  })
})

describe('fixtures', () => {
  it('are written once', () => {
    const path = fixture('embed')
    const { mtimeMs } = statSync(path)
    expect(fixture('embed')).toBe(path)
    expect(statSync(path).mtimeMs).toBe(mtimeMs)
  })

  it('turn MiniLM into a BERT', () => {
    const file = new GgufReader(fixture('minilm'))
    expect(file.number('bert.pooling_type')).toBe(1)
    expect(file.strings('tokenizer.ggml.tokens').slice(100, 104)).toEqual([
      '[UNK]',
      '[CLS]',
      '[SEP]',
      '[MASK]',
    ])
    expect(file.tensors.size).toBe(5 + 6 * 16)
    expect(file.tensor('token_embd.weight').shape).toEqual([384, 30_522])
  })

  it('have every broken file under a name of its own', () => {
    const names = brokenModels.map((model) => model.name)
    expect(new Set(names).size).toBe(names.length)
    const paths = names.map(brokenFixture)
    expect(new Set(paths).size).toBe(names.length)
  })

  it('know the block sizes of ggml', () => {
    expect(tensorTypes.Q6_K.bytes).toBe(128 + 64 + 16 + 2)
    expect(byteLength('Q8_0', [1024, 151_669])).toBe(165_015_872)
  })
})
