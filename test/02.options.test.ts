import { describe, expect, it } from 'vitest'
import { percentile } from '../lib/cli/numbers.ts'
import * as options from '../lib/options.ts'

const model = { width: 256, pooling: 'last', priority: 'bulk' } as const

it('a percentile is the value below which its share lies', () => {
  const sorted = Array.from({ length: 100 }, (_, i) => i)
  expect([0, 0.5, 0.95, 1].map((share) => percentile(sorted, share))).toEqual([0, 50, 95, 99])
})

describe('misuse is told before any work', () => {
  it.each([0, 31, 257, 64.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'refuses %s dimensions',
    (dimensions) => {
      expect(() => options.readEmbedOptions({ dimensions }, model)).toThrow(RangeError)
    },
  )

  it('names the option, what was expected and what came', () => {
    expect(() => options.readEmbedOptions({ dimensions: 'all' }, model)).toThrow(
      'Expected an integer from 32 to 256 for the option dimensions but received the string "all"',
    )
  })

  it.each(['instructions', 'dimension', 'normalise', '__proto__x', 'toString'])(
    'refuses the unknown option %s',
    (name) => {
      expect(() => options.readEmbedOptions({ [name]: 1 }, model)).toThrow(
        /Unknown option .* Known here: truncate/,
      )
    },
  )

  it.each([
    ['pooling', 'max'],
    ['truncate', true],
    ['normalize', 'yes'],
    ['signal', {}],
    ['onProgress', 1],
    ['instruction', 7],
  ])('refuses %s: %o', (name, value) => {
    expect(() => options.readEmbedOptions({ [name]: value }, model)).toThrow(TypeError)
  })

  it('takes undefined as absent', () => {
    const read = options.readEmbedOptions({ dimensions: undefined, instruction: undefined }, model)
    expect(read).toMatchObject({ dimensions: 256, truncate: 'error' })
  })

  it.each([null, 1, 'x'])('refuses %o as options', (given) => {
    expect(() => options.readLoadOptions(given)).toThrow(TypeError)
  })

  it('refuses texts that are not strings, by index', () => {
    expect(() => options.readTexts(['a', 1], 'texts')).toThrow(
      'a string for texts[1] but received 1',
    )
    expect(() => options.readTexts('a', 'texts')).toThrow('an array of strings for texts')
    expect(() => options.readPairs([['a', 'b'], ['a']])).toThrow('pairs[1]')
  })
})
