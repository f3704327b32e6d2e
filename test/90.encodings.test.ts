import { describe, expect, it } from 'vitest'
import {
  Embedder,
  fromBase64,
  hamming,
  quantise,
  rangesOf,
  rescore,
  searchBinary,
  toBase64,
  unitRanges,
} from '../lib/index.ts'
import { randomly } from './fixtures/random.ts'

describe('nothing', () => {
  it('x', () => expect([Embedder, fromBase64, hamming, quantise, rangesOf, rescore, searchBinary, toBase64, unitRanges, randomly]).toBeDefined())
})
