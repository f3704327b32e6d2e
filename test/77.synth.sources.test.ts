// Queries that stand in documents already: what links say, and comments of code.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { synth } from '../dist/synth/index.js'
import { docstringPairs } from '../lib/synth/docstrings.ts'
import { linkPairs } from '../lib/synth/links.ts'

const folder = mkdtempSync(join(tmpdir(), 'synth-sources-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const body = (subject: string) =>
  `Whoever asks about ${subject} finds here the things that everybody who keeps them has to know before the winter comes.`

const documents = [
  {
    id: 'guide/start.md',
    text: [
      '# Start here',
      '',
      body('starting'),
      'See [how bees survive winter](../bees.md#winter-care) and [click here](../bees.md).',
      'Then [all about bees](<../bees.md> "a title"), [the second winter](../bees.md#winter-care-1), ![a picture of bees](../bees.md),',
      '[another website altogether](https://example.com/bees.md), [one that is missing](../wasps.md), [up to the start](#start-here).',
      '```',
      '[within a fence there](../bees.md)',
      '```',
      'And `[in code too](../bees.md)` nothing. Again: [How bees survive winter](../bees.md#winter-care).',
    ].join('\n'),
  },
  {
    id: 'bees.md',
    text: `# Bees\n\n${body('bees')}\n\n## Winter care!\n\n${body('winter')}\n\n## Winter care!\n\n${body('snow')}\n\n## Short\n\nNothing.\n\n[to something short](#short)\n`,
  },
]

describe('links', () => {
  it('ask for the section that they lead to', () => {
    const rows = linkPairs(documents)
    expect(rows.map(({ query, positive_id }) => [query, positive_id])).toEqual([
      ['how bees survive winter', 'bees.md#5'],
      ['all about bees', 'bees.md#1'],
      ['the second winter', 'bees.md#9'],
      ['up to the start', 'guide/start.md#1'],
    ])
    expect(rows[0]).toMatchObject({
      positive: body('winter'),
      source: { method: 'links', document: 'bees.md', from: 'guide/start.md#4' },
    })
  })

  it('may be damaged in any way', () => {
    const text =
      '# A\n\n[x y](%E0%A4%A.md) [x y](#) [x y](?) [[a b](c)](d) [a b]( [a b](../../../..) '
    expect(linkPairs([{ id: 'a.md', text: text.repeat(50) }])).toEqual([])
  })
})

const filler = Array.from({ length: 8 }, (_, i) => `  const value${i} = compute(input, ${i})`)
const python = Array.from({ length: 8 }, (_, i) => `    value_${i} = compute(input, ${i})`)

describe('comments', () => {
  it('of JavaScript and its like ask for what stands below them', () => {
    const lines = [
      '/** The licence of this file is of no interest here. */',
      '',
      '/**',
      ' * Adds up the prices of a basket. More is said here.',
      ' * @param input the basket',
      ' */',
      'export function total(',
      '  input,',
      ') {',
      ...filler,
      '}',
      '',
      '// How often a call is repeated',
      '// before it fails.',
      'const retries = (input) => {',
      ...filler,
      '}',
      '/** too short */',
      'function other() {',
      ...filler,
      '}',
    ]
    const rows = docstringPairs({ id: 'a.ts', text: lines.join('\r\n') })
    expect(rows.map(({ query, positive_id }) => [query, positive_id])).toEqual([
      ['Adds up the prices of a basket', 'a.ts#7'],
      ['How often a call is repeated before it fails', 'a.ts#22'],
    ])
    expect(rows[0]!.positive).toBe(lines.slice(6, 18).join('\n'))
    expect(rows[1]!.positive).toBe(lines.slice(21, 31).join('\n'))
  })

  it('of Python are taken out of the code', () => {
    const lines = [
      'class Basket:',
      '    def total(self,',
      '              input) -> int:  # cents',
      '        """Add up the prices',
      '        of a basket.',
      '',
      '        Args:',
      '            input: the basket',
      '        """',
      ...python.map((line) => `    ${line}`),
      '',
      '    def other(self):',
      '        return 1',
    ]
    const [row, ...others] = docstringPairs({ id: 'a.py', text: lines.join('\n') })
    expect(others).toEqual([])
    expect(row).toMatchObject({
      query: 'Add up the prices of a basket',
      positive: [lines[1], lines[2], ...lines.slice(9, 17)].join('\n'),
      positive_id: 'a.py#2',
      source: { method: 'docstrings', document: 'a.py' },
    })
  })

  it('may be damaged in any way', () => {
    for (const text of [
      '/**',
      '/** never ends\nfunction',
      'def f(',
      'def f():\n  """never',
      '// a b c d',
      '',
    ])
      for (const id of ['a.ts', 'a.py']) expect(docstringPairs({ id, text }), text).toEqual([])
  })
})

it('files are read by method, and rows say which', async () => {
  mkdirSync(join(folder, 'guide'))
  for (const { id, text } of documents) writeFileSync(join(folder, id), text)
  const code = `/** Adds up the prices of a basket. */\nfunction total(input) {\n${filler.join('\n')}\n}\n`
  writeFileSync(join(folder, 'basket.js'), code)
  const run = (method: 'links' | 'docstrings') =>
    synth({ documents: folder, model: 'mini', cacheDir: join(folder, 'cache'), method })
  const links = await run('links')
  expect(links.documents).toBe(2)
  expect(links.rows.every(({ source }) => source.method === 'links')).toBe(true)
  const { rows, documents: read } = await run('docstrings')
  expect(read).toBe(1)
  expect(rows).toMatchObject([
    { query: 'Adds up the prices of a basket', positive_id: 'basket.js#2' },
  ])
  rmSync(join(folder, 'basket.js'))
  await expect(run('docstrings')).rejects.toMatchObject({
    code: 'ERR_DATASET',
    problem: expect.stringContaining('code with comments'),
  })
})
