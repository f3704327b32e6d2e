import { describe, expect, it } from 'vitest'
import { Arguments } from '../lib/cli/arguments.ts'
import { batches } from '../lib/cli/batches.ts'
import { inShellWords } from '../lib/cli/remedies.ts'
import { npyHeader } from '../lib/npy.ts'
import { bytes, clock, count, counted, milliseconds, parameters, rate } from '../lib/cli/numbers.ts'
import { misuse, Qwen3Error, type Qwen3ErrorCode } from '../lib/errors.ts'
import { nearest } from '../lib/nearest.ts'
import { Progress } from '../lib/cli/progress.ts'
import { formatOf } from '../lib/cli/rows.ts'
import { bar, columns, oneLine, painter, takesColour, wrap } from '../lib/cli/terminal.ts'

class FakeScreen {
  readonly isTTY: boolean
  columns = 60
  written: string[] = []

  constructor(isTTY: boolean) {
    this.isTTY = isTTY
  }

  write(text: string): void {
    this.written.push(text)
  }
}

describe('progress', () => {
  it('redraws one line on a terminal, at most ten times a second, with the time left', () => {
    const screen = new FakeScreen(true)
    let now = 0
    const progress = new Progress('embed', { screen, now: () => now })
    for (; now <= 10_000; now += 10) progress.update(now / 20_000, `${now} texts`)
    expect(screen.written.length).toBeLessThanOrEqual(100)
    expect(screen.written.length).toBeGreaterThan(90)
    const last = screen.written.at(-1)!
    expect(last.startsWith('\r\x1b[2K')).toBe(true)
    expect(last).toMatch(/Kembed {3}50% {2}▕█{10}. +▏ {2}10000 texts {2}0:10 left$/)
    for (const text of screen.written) expect(text.length).toBeLessThan(60 + 6)
    screen.columns = 100
    now += 200
    progress.update(0.5, 'texts')
    expect(screen.written.at(-1)).toMatch(/texts {2}0:10 left$/)
    progress.end('done')
    expect(screen.written.slice(-2)).toEqual(['\r\x1b[2K', 'done\n'])
  })

  it('writes plain lines now and then elsewhere', () => {
    const screen = new FakeScreen(false)
    let now = 0
    const progress = new Progress('embed', { screen, now: () => now })
    for (; now <= 60_000; now += 100) progress.update(undefined, `${now / 100} texts`)
    expect(screen.written).toEqual([50, 200, 350, 500].map((n) => `embed:  ${n} texts\n`))
    progress.end()
    expect(screen.written).toHaveLength(4)
  })

  it('writes nothing when quiet, and nothing for work that is over at once', () => {
    const quiet = new FakeScreen(true)
    const progress = new Progress('embed', { quiet: true, screen: quiet, now: () => 1e6 })
    progress.update(0.5, '')
    progress.end('done')
    const short = new FakeScreen(true)
    const other = new Progress('loading', { screen: short, now: () => 0 })
    other.update(1, '')
    other.end()
    expect([...quiet.written, ...short.written]).toEqual([])
  })

  it('counts the time left from where a resumed job began', () => {
    const screen = new FakeScreen(true)
    let now = 0
    const progress = new Progress('embed', { screen, now: () => now })
    progress.update(0.5, '')
    now = 10_000
    progress.update(0.75, '')
    expect(screen.written.at(-1)).toMatch(/0:10 left$/)
  })
})

describe('a terminal', () => {
  it('takes colours unless NO_COLOR, a pipe or a dumb terminal says otherwise', () => {
    const screen = new FakeScreen(true)
    expect(takesColour(screen, {})).toBe(true)
    expect(takesColour(screen, { NO_COLOR: '1' })).toBe(false)
    expect(takesColour(screen, { NO_COLOR: '' })).toBe(true)
    expect(takesColour(screen, { TERM: 'dumb' })).toBe(false)
    expect(takesColour(new FakeScreen(false), {})).toBe(false)
    expect(painter(screen, {})('red', 'x')).toBe('\x1b[31mx\x1b[0m')
    expect(painter(screen, { NO_COLOR: '1' })('red', 'x')).toBe('x')
  })

  it('aligns columns whatever their colours', () => {
    const rows = [
      ['a', '\x1b[31m1\x1b[0m', 'x'],
      ['long', '22', ''],
    ]
    expect(columns(rows, [1])).toBe('a      \x1b[31m1\x1b[0m  x\nlong  22\n')
  })

  it('draws bars in eighths, and never beyond their ends', () => {
    expect([0, 0.5, 1, -1, 2].map((part) => bar(part, 4))).toEqual([
      '    ',
      '██  ',
      '████',
      '    ',
      '████',
    ])
    expect(bar(1 / 32, 4)).toBe('▏   ')
  })

  it('wraps words and keeps texts on one line', () => {
    expect(wrap('one two three', 7)).toEqual(['one two', 'three'])
    expect(oneLine(' a\n\tb  c ', 10)).toBe('a b c')
    expect(oneLine('🐈'.repeat(9), 4)).toBe('🐈🐈🐈…')
  })
})

describe('numbers', () => {
  it('are written for people', () => {
    expect([count(1234567), counted(1, 'row'), counted(2, 'row')]).toEqual([
      '1,234,567',
      '1 row',
      '2 rows',
    ])
    expect([0, 999, 1000, 639_150_592, 8.05e9, 999_999].map(bytes)).toEqual([
      '0 B',
      '999 B',
      '1 kB',
      '639 MB',
      '8.05 GB',
      '1 MB',
    ])
    expect([9_375_744, 595_776_512, 4.02e9].map(parameters)).toEqual(['9.38M', '596M', '4.02B'])
    expect([7, 754, 3723].map(clock)).toEqual(['0:07', '12:34', '1:02:03'])
    expect([12.345, 12345].map(rate)).toEqual(['12.3', '12,345'])
    expect([1.234, 2500].map(milliseconds)).toEqual(['1.23 ms', '2.50 s'])
  })
})

describe('words that are nearly right', () => {
  const known = ['embed', 'rerank', 'inspect', 'dimensions', 'input', 'input-format']

  it.each([
    ['embde', 'embed'],
    ['re-rank', 'rerank'],
    ['dimension', 'dimensions'],
    ['dim', 'dimensions'],
    ['imput', 'input'],
    ['x', undefined],
    ['quantize', undefined],
  ])('%s → %s', (word, meant) => {
    expect(nearest(word, known)).toBe(meant)
  })
})

describe('arguments', () => {
  const options = { top: { value: 'N', short: 'n', help: '' }, json: { help: '' } }

  it('are typed', () => {
    const args = new Arguments(['-n', '1_000', '--json', 'a', '--', '--top'], options)
    expect(args.integer('top', 1)).toBe(1000)
    expect(args.has('json')).toBe(true)
    expect(args.positionals).toEqual(['a', '--top'])
  })

  it.each([
    [['--json=1'], '--json is a switch and takes no value'],
    [['--top'], '--top needs a value: --top N'],
    [['--top', '--json'], 'is written --top=--json'],
    [['--top=0'], '--top takes a number of at least 1, not "0"'],
    [['--top=-5'], '--top takes a number of at least 1, not "-5"'],
    [['--top=1e3'], 'not "1e3"'],
    [['--top=1.5'], 'a whole number'],
    [['-x'], 'Unknown option -x'],
  ])('%j is refused', (words, message) => {
    expect(() => new Arguments(words, options).integer('top', 1)).toThrow(message)
  })
})

describe('errors of the API', () => {
  const error = (code: Qwen3ErrorCode, problem: string, facts = {}, remedy = 'Do this.') =>
    new Qwen3Error(code, problem, facts, { remedy })

  it.each([
    [
      error('ERR_TEXT_TOO_LONG', 'expected at most 5 tokens', { tokens: 9, limit: 5 }),
      'expected at most 5 tokens. Shorten it, or use --truncate end to cut its end; --max-tokens takes longer ones.',
    ],
    [
      error('ERR_MODEL_UNSUPPORTED', 'It is bert', { architecture: 'bert' }),
      'It is bert. Use --engine generic.',
    ],
    [error('ERR_CACHE', 'No cache'), 'No cache. Do this.'],
    [error('ERR_COMPUTE', 'A defect', {}, ''), 'A defect'],
    [
      misuse(RangeError, 'an integer from 8 to 9', 'the option maxTokens', 'x'),
      '--max-tokens takes an integer from 8 to 9, not "x"',
    ],
  ])('%s', (thrown, shell) => {
    expect(inShellWords(thrown)).toBe(shell)
  })

  it('say where a model of the other kind belongs', () => {
    const mismatch = error('ERR_MODEL_MISMATCH', 'Expected an embedding model')
    expect(inShellWords(mismatch, 'embed')).toContain('Use it with rerank.')
    expect(inShellWords(mismatch, 'rerank')).toContain('Use it with search or embed.')
  })
})

describe('formats', () => {
  const row = (vector: number[]) => ({
    vector: Float32Array.from(vector),
    tokens: 3,
    cut: 0,
    error: null,
  })

  it('keep every bit of a float32 in JSON', () => {
    const bits = new Uint32Array(1)
    const value = new Float32Array(bits.buffer)
    const format = formatOf('jsonl', 1, false)
    for (let i = 1; i < 2 ** 32; i += 1_234_567) {
      bits[0] = i
      if (!Number.isFinite(value[0])) continue
      const json = Buffer.from(format.row(row([value[0]!]), 0)).toString()
      expect(Math.fround(JSON.parse(json).vector[0])).toBe(value[0]! + 0)
    }
  })

  const failed = {
    vector: null,
    tokens: 3,
    cut: 0,
    error: new Qwen3Error('ERR_NON_FINITE', 'It is no number'),
  }

  it('never put a row without a vector into an array', () => {
    expect(() => formatOf('npy', 2, false).row(failed, 7)).toThrow(/^Text 7: .*jsonl and json/)
  })

  it('leave room for any number of rows in the header of an npy file', () => {
    expect(npyHeader(0, 1024)).toHaveLength(128)
    expect(npyHeader(2 ** 48, 2 ** 20).toString('latin1')).toMatch(/, 1048576\), \} *\n$/)
  })
})

describe('batches', () => {
  const sizes = async (texts: string[]) => {
    async function* each() {
      yield* texts
    }
    const found: number[] = []
    for await (const batch of batches(each())) found.push(batch.length)
    return found
  }

  it('are bounded in texts and in characters, and hold every text', async () => {
    expect(await sizes([])).toEqual([])
    expect(await sizes(new Array(1_100).fill('x'))).toEqual([512, 512, 76])
    expect(await sizes(['x'.repeat(1e6), 'a', 'b'.repeat(2e4), 'c'])).toEqual([1, 2, 1])
  })
})
