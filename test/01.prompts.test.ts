import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import * as prompts from '../lib/prompts.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

// Hashes of the strings in Qwen's own code: a template is right to the byte or it is wrong.
describe('templates', () => {
  it('puts the default instruction before a query', () => {
    const prefix = prompts.queryPrefix(prompts.defaultInstruction)
    expect(Buffer.byteLength(prefix)).toBe(91)
    expect(sha256(prefix)).toBe('9fab7feb99edb69f560d85cf1bb849dd556c37f383d0336574f78f1303e90740')
  })

  it('leaves a query bare without an instruction', () => {
    expect(prompts.queryPrefix('')).toBe('')
    expect(prompts.queryPrefix('  ')).toBe('')
  })

  it('frames a pair', () => {
    expect(sha256(prompts.pairPrefix)).toBe(
      'b09144c543bfe3e0dcde88b2bf54986c50060c9f31d9fe98916e1b7f1ad3b80b',
    )
    expect(sha256(prompts.pairSuffix)).toBe(
      '5ca215121bd0820099042d7d3949d5b77533e17ad13bb8e6104d37029e7ea54d',
    )
    const whole =
      prompts.pairPrefix +
      prompts.pairHead(prompts.defaultInstruction, 'What is the capital of China?') +
      prompts.pairBody('The capital of China is Beijing.') +
      prompts.pairSuffix
    expect(Buffer.byteLength(whole)).toBe(412)
    expect(sha256(whole)).toBe('a534f4970e1db52ff3b8c2cf0f26c7a273cccfe50b1213e859697ed3ca760526')
  })
})
