import { describe, expect, it } from 'vitest'
import { decode } from '../lib/search/files/decode.ts'
import { cutCode } from '../lib/search/files/code.ts'
import { cutRows } from '../lib/search/files/rows.ts'
import { globOf } from '../lib/search/glob.ts'
import { weightOf, weights } from '../lib/search/weight.ts'
import { anyOf, readQuery } from '../lib/search/words/query.ts'
import { termsOf } from '../lib/search/words/terms.ts'

describe('the weight of meaning', () => {
  const asked = (best: number) => weights.map((weight) => 1 / (1 + Math.abs(weight - best)))
  const many = (best: number) => Array.from({ length: 40 }, () => asked(best))

  it('follows what finds most, half of the way', () => {
    expect(weightOf(many(0.4))).toBeCloseTo(0.45, 2)
    expect(weightOf(many(0.3))).toBeCloseTo(0.4, 2)
    expect(weightOf(many(0))).toBeCloseTo(0.25, 1)
    expect(weightOf(many(1))).toBe(0.5)
  })
})

describe('words', () => {
  it.each([
    ['Running runners ran', ['run', 'runner', 'ran']],
    ['naïve Ünïcode', ['naiv', 'unicod']],
    ['createHandler', ['createhandl', 'creat', 'handler']],
    ['HTTPServer2', ['httpserver2', 'http', 'server', '2']],
    ['my_snake', ['my_snake', 'my', 'snake']],
    ['v1.0.21', ['v1.0.21', 'v1', 'v', '1', '0', '21']],
    ['lib/a.ts', ['lib/a.ts', 'lib', 'a', 'ts']],
    ['me@home.org', ['me@home.org', 'me', 'home', 'org']],
    ["state-of-the-art, don't", ['state', 'of', 'the', 'art', 'don', 't']],
    ['ＡＢＣ', ['abc']],
    ['東京タワー', ['東京', '京タ', 'タワ', 'ワー', 'ー']],
    ['中', ['中']],
    ['日本語text', ['日本', '本語', '語', 'text']],
    ['', []],
    ['\ud800 \u0000 ...', []],
  ])('of %j', (text, terms) => {
    expect(termsOf(text)).toEqual(terms)
  })

  it('keeps no more of a word than can be looked up', () => {
    expect(termsOf('a'.repeat(100_000)).map(({ length }) => length)).toEqual([64])
  })
})

describe('a question', () => {
  it('is taken apart', () => {
    const query = readQuery('how to "train models" -gpu -"two words"')
    expect(query.phrases).toEqual([['train', 'model']])
    expect(query.without).toEqual([['gpu'], ['two', 'word']])
    expect(query.terms).toEqual(['how', 'to', 'train', 'model'])
    expect(query.text).toBe('how to train models')
  })

  it.each(['AND OR NOT', '")(*', 'NEAR(a b)', '-', '""', 'a:b ^c', '{x}', '\u0000'])(
    'has no operators: %j',
    (text) => {
      expect(() => anyOf(readQuery(text).terms)).not.toThrow()
    },
  )

  it.each([
    ['createHandler', 'createHandler'],
    ['foo_bar()', 'foo_bar'],
    ['Index.open', 'Index.open'],
    ['hello', undefined],
    ['two words', undefined],
  ])('%j asks for the name %j', (text, name) => {
    expect(readQuery(text).identifier).toBe(name)
  })

  it('of one Chinese letter finds pairs that begin with it', () => {
    expect(anyOf(readQuery('京').terms)).toBe('"京"*')
  })
})

describe('a glob', () => {
  it.each([
    ['*.md', 'a.md', true],
    ['*.md', 'x/y/a.md', true],
    ['*.md', 'a.mdx', false],
    ['notes/**', 'notes/a/b.txt', true],
    ['notes/**', 'my/notes/b.txt', false],
    ['notes/*.txt', 'notes/a/b.txt', false],
    ['**/b.txt', 'b.txt', true],
    ['docs', 'docs/a.md', true],
    ['docs/', 'docs/a.md', true],
    ['{a,b}.ts', 'lib/b.ts', true],
    ['[!a].ts', 'a.ts', false],
    ['a+b(1).txt', 'a+b(1).txt', true],
    ['日?.md', '日本.md', true],
  ])('%s of %s: %s', (pattern, path, matches) => {
    expect(globOf(pattern)(path)).toBe(matches)
  })
})

describe('bytes', () => {
  const japanese = '日本語の文章です。これはテストのための文章であり、カタカナもあります。'
  it.each([
    ['utf-8', Buffer.from('größer'), 'größer'],
    ['utf-16le', Buffer.from('\ufeffgrößer', 'utf16le'), 'größer'],
    [
      'windows-1252',
      Buffer.from('Größe und Länge über alles, schön', 'latin1'),
      'Größe und Länge über alles, schön',
    ],
    ['shift_jis', Buffer.from('93fa967b8cea82cc95b68fcd82c582b78142', 'hex'), '日本語の文章です。'],
  ])('of %s become text', (encoding, bytes, text) => {
    expect(decode(bytes)).toEqual({ encoding, text })
  })

  it('of a program, or of noise, are none', () => {
    expect(decode(Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1, 2]))).toBeUndefined()
    const noise = Buffer.from(Array.from({ length: 4096 }, (_, i) => 1 + ((i * 7919) % 255)))
    expect(decode(noise)).toBeUndefined()
    expect(decode(Buffer.from(japanese))!.text).toBe(japanese)
  })
})

describe('pieces', () => {
  const source = Array.from(
    { length: 40 },
    (_, i) =>
      `/** What ${i} does. */\nexport function name${i}(x: number) {\n  const y = x + ${i}\n\n  return y\n}\n`,
  ).join('\n')

  it('of code hold all of it, end where definitions end, and name them', () => {
    const cuts = cutCode(source, 'lib/a.ts')
    expect(cuts.length).toBeGreaterThan(3)
    expect(cuts.map(({ start, stop }) => source.slice(start, stop)).join('')).toBe(source)
    for (const { start, stop, head } of cuts) {
      expect(stop - start).toBeLessThanOrEqual(1_600)
      expect(source.slice(start, stop)).toMatch(/^\/\*\* What/)
      expect(head).toMatch(/^lib\/a\.ts > name\d+$/)
    }
  })

  it.each([
    ['one endless line', `x = "${'ab😀'.repeat(5_000)}"`],
    ['lines without end', `${'  deep\n'.repeat(3_000)}`],
    ['nothing', '\n \n\t\n'],
  ])('of %s are short, and cut no letter', (_, text) => {
    const cuts = cutCode(text, 'x.ts')
    for (const { start, stop } of cuts) {
      expect(stop - start).toBeLessThanOrEqual(1_602)
      expect(text.slice(start, stop).isWellFormed()).toBe(true)
    }
    const covered = new Set(
      cuts.flatMap(({ start, stop }) => Array.from({ length: stop - start }, (_, i) => start + i)),
    )
    for (let i = 0; i < text.length; i++)
      if (text[i]!.trim() !== '') expect(covered.has(i)).toBe(true)
  })

  it('of a table are whole rows, each behind the names', () => {
    const rows = Array.from({ length: 200 }, (_, i) => `${i},"a\nb ${i}",c`).join('\n')
    const text = `id,text,more\n${rows}`
    const cuts = cutRows(text, 'id,text,more', 'x/table.csv')
    expect(cuts.map(({ start, stop }) => text.slice(start, stop)).join('')).toBe(text)
    for (const { start, stop, head } of cuts) {
      expect(head).toBe('table.csv: id,text,more')
      expect((text.slice(start, stop).match(/"/g)?.length ?? 0) % 2).toBe(0)
    }
  })
})
