import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Index } from 'qwen3-embed/search'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parserOf } from '../lib/search/files/kinds.ts'
import { Reader } from '../lib/search/files/reader.ts'
import { docxOf, pdfOf, zipOf } from './fixtures/documents.ts'

const base = mkdtempSync(join(tmpdir(), 'search-documents-'))
const folder = join(base, 'files')
let index: Index

const letter = [
  'From: Anna Berg <anna@example.org>',
  'To: Otto <otto@example.org>',
  'Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=',
  'Date: Tue, 03 Feb 2026 10:00:00 +0100',
  'Content-Type: text/plain; charset=utf-8',
  'Content-Transfer-Encoding: quoted-printable',
  '',
  'The caf=C3=A9 opens on Thursday.',
  '',
  'On Monday Otto wrote:',
  '> what about the marmalade',
  '',
].join('\r\n')

const files: Record<string, string | Buffer> = {
  'page.html': `<html><head><title>Fjord guide</title><style>p{}</style></head><body><nav>menu of things</nav><h1>Boats</h1>
    <p>The ferry leaves&nbsp;at <b>dawn</b>.</p><h2>Prices</h2><ul><li>Adults pay ten krona</li></ul><script>alert('zebra')</script></body></html>`,
  'old.html': Buffer.from('<meta charset="windows-1251"><p>\xcf\xf0\xe8\xe2\xe5\xf2</p>', 'latin1'),
  'report.pdf': pdfOf([
    ['The first page is about herons.'],
    ['A second page tells of the otter', 'and of its hunt-', 'ing grounds.'],
  ]),
  'letter.docx': docxOf(
    [
      ['Minutes', 'Heading1'],
      ['The council met on Friday.'],
      ['Budget', 'Heading2'],
      ['Ten thousand for the bridge.'],
    ],
    'Council',
  ),
  'notes.odt': zipOf({
    'content.xml':
      '<o><text:h text:outline-level="1">Garden</text:h><text:p>Plant the <text:span>dahlias</text:span> in May.</text:p></o>',
  }),
  'talk.pptx': zipOf({
    'ppt/slides/slide2.xml': '<p><a:p><a:r><a:t>Second: turbines</a:t></a:r></a:p></p>',
    'ppt/slides/slide1.xml': '<p><a:p><a:r><a:t>First: windmills</a:t></a:r></a:p></p>',
  }),
  'sheet.xlsx': zipOf({
    'xl/workbook.xml': '<workbook/>',
    'xl/sharedStrings.xml': '<sst><si><t>name</t></si><si><t>Marigold</t></si></sst>',
    'xl/worksheets/sheet1.xml':
      '<worksheet><row><c t="s"><v>0</v></c></row><row><c t="s"><v>1</v></c><c><v>42</v></c></row></worksheet>',
  }),
  'book.epub': zipOf({
    'META-INF/container.xml': '<container><rootfile full-path="OEBPS/content.opf"/></container>',
    'OEBPS/content.opf': '<package><item id="a" href="a.xhtml"/><itemref idref="a"/></package>',
    'OEBPS/a.xhtml':
      '<html><body><h1>Chapter One</h1><p>The lighthouse keeper slept.</p></body></html>',
  }),
  'mail.eml': letter,
  'box.mbox': `From anna Tue Feb  3\r\n${letter}\r\nFrom anna Wed Feb  4\r\n${letter.replace('Thursday', 'Saturday')}`,
  'people.csv': 'name,city\n"Braun, Eva",Graz\n',
  'lines.jsonl': '{"event":"eclipse"}\n{"event":"comet"}\n',
  'data.json': `{"a":${JSON.stringify(Array.from({ length: 400 }, (_, i) => `planet ${i}`))}}`,
  'config.yaml': 'service:\n  port: 8080\n  name: aardvark\n',
  'study.ipynb': JSON.stringify({
    cells: [
      { cell_type: 'markdown', source: ['# Tides'] },
      { cell_type: 'code', source: 'plot(moon)' },
    ],
  }),
  'front.md': '---\ntitle: Of Whales\ndate: 2025-12-24\n---\n\n# Deep\n\nThey sing.\n',
  'big5.txt': Buffer.from('a4a4a4e5aabaa440adb1a141a4a3acb0a448a5cda141a6b3a4c0', 'hex'),
}

beforeAll(async () => {
  mkdirSync(folder)
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  index = await Index.open(join(base, 'x.index'))
  await index.addRoot(folder)
  await index.update({ vectors: false })
})
afterAll(async () => {
  await index.close()
  rmSync(base, { recursive: true, force: true })
})

const found = async (query: string) => (await index.search(query, { alpha: 0 })).hits[0]

describe('documents', () => {
  it('are all read', async () => {
    expect((await index.list()).filter(({ state }) => state !== 'ok')).toEqual([])
  })

  it.each([
    [
      'ferry dawn',
      { name: 'page.html', kind: 'html', title: 'Fjord guide', head: 'Fjord guide > Boats' },
    ],
    ['adults krona', { name: 'page.html', head: 'Fjord guide > Boats > Prices' }],
    ['Привет', { name: 'old.html' }],
    ['herons', { name: 'report.pdf', kind: 'pdf', page: 1 }],
    ['otter hunting', { name: 'report.pdf', page: 2 }],
    [
      'bridge thousand',
      { name: 'letter.docx', kind: 'word', title: 'Council', head: 'Council > Minutes > Budget' },
    ],
    ['dahlias', { name: 'notes.odt', text: expect.stringContaining('Plant the dahlias in May.') }],
    ['turbines', { name: 'talk.pptx', page: 2 }],
    ['marigold', { name: 'sheet.xlsx', kind: 'table' }],
    ['lighthouse', { name: 'book.epub', head: expect.stringContaining('Chapter One') }],
    [
      'café -Saturday',
      {
        name: 'mail.eml',
        kind: 'mail',
        title: 'Grüße - Anna Berg - 2026-02-03',
        date: Date.UTC(2026, 1, 3, 9),
      },
    ],
    ['Saturday', { name: 'box.mbox' }],
    ['Graz', { name: 'people.csv', kind: 'table', head: 'people.csv: name,city' }],
    ['comet', { name: 'lines.jsonl' }],
    ['"planet 333"', { name: 'data.json', kind: 'data' }],
    ['aardvark', { name: 'config.yaml' }],
    ['moon', { name: 'study.ipynb', head: expect.stringContaining('Tides') }],
    [
      'sing',
      {
        name: 'front.md',
        title: 'Of Whales',
        head: 'Of Whales > Deep',
        date: Date.UTC(2025, 11, 24),
      },
    ],
    ['中文', { name: 'big5.txt' }],
  ])('answer %j', async (query, expected) => {
    expect(await found(query)).toMatchObject(expected)
  })

  it.each(['zebra', 'menu things', 'marmalade'])(
    'hold no %s, which nobody reads',
    async (query) => {
      expect(await found(query)).toBeUndefined()
    },
  )
})

describe('hostile files', () => {
  const read = async (name: string, bytes: Buffer) => (await parserOf(name))(bytes, name)

  it.each([
    [
      'a bomb',
      'bomb.docx',
      () => zipOf({ 'word/document.xml': Buffer.alloc(300 << 20) }),
      /256 MiB/,
    ],
    ['a truncated one', 'cut.docx', () => docxOf([['x']]).subarray(0, 200), /no zip file/],
    [
      'one whose list lies',
      'lie.docx',
      () => Buffer.concat([docxOf([['x']]).fill(0x41, 100, 160)]),
      /./,
    ],
    ['an encrypted one', 'old.docx', () => Buffer.from('d0cf11e0a1b11ae1', 'hex'), /encrypted/],
    ['a PDF without text', 'scan.pdf', () => pdfOf([[]]), /scanned/],
    ['a notebook of nothing', 'x.ipynb', () => Buffer.from('{'), /no JSON/],
  ])('%s is refused in words', async (_, name, bytes, why) => {
    await expect(read(name, bytes())).rejects.toThrow(why)
  })

  it.each(['deep.html', 'deep.docx', 'deep.json'])(
    '%s of twenty thousand levels is read or refused',
    async (name) => {
      const depth = 20_000
      const sources: Record<string, Buffer> = {
        'deep.html': Buffer.from('<div>'.repeat(depth)),
        'deep.docx': zipOf({ 'word/document.xml': '<w:p>'.repeat(depth) }),
        'deep.json': Buffer.from('['.repeat(depth)),
      }
      await read(name, sources[name]!)
    },
  )

  it('damaged in any byte end nothing', { timeout: 120_000 }, async () => {
    const rounds = Number(process.env.SEARCH_FUZZ ?? 15)
    const originals = [
      'report.pdf',
      'letter.docx',
      'mail.eml',
      'page.html',
      'sheet.xlsx',
      'book.epub',
    ]
    const target = join(base, 'damaged')
    mkdirSync(target)
    let state = 5
    const next = (below: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return Math.floor((below * state) / 2 ** 32)
    }
    const names: string[] = []
    for (const original of originals)
      for (let round = 0; round < rounds; round++) {
        const bytes = Buffer.from(files[original]!)
        for (let hit = 0; hit <= round % 8; hit++) bytes[next(bytes.length)] = next(256)
        const name = `${round}-${original}`
        writeFileSync(
          join(target, name),
          round % 5 === 0 ? bytes.subarray(0, next(bytes.length)) : bytes,
        )
        names.push(name)
      }
    const reader = new Reader(20_000, new URL('../dist/search/files/worker.js', import.meta.url))
    try {
      const wanted = names.map((path) => ({
        path,
        root: 1,
        size: 0,
        mtime: 0,
        inode: 0,
        hash: undefined,
      }))
      const results = await Promise.all(wanted.map((one) => reader.read(target, {}, one)))
      expect(
        results
          .map(({ state }) => state)
          .every((state) => ['ok', 'skipped', 'failed'].includes(state)),
      ).toBe(true)
      expect(results.filter(({ state }) => state === 'ok').length).toBeGreaterThan(0)
      for (const result of results) if (result.state === 'failed') expect(result.why).not.toBe('')
    } finally {
      await reader.close()
    }
  })

  it('that take for ever, or end the thread, are skipped over', async () => {
    const reader = new Reader(2_000, new URL('./fixtures/hostile-worker.mjs', import.meta.url))
    try {
      const ask = (path: string) =>
        reader.read('/', {}, { path, root: 1, size: 0, mtime: 0, inode: 0, hash: undefined })
      const results = await Promise.all(['fine', 'endless', 'fine', 'crash', 'fine'].map(ask))
      expect(results.map((one) => (one.state === 'same' ? 'same' : one.why))).toEqual([
        'same',
        expect.stringContaining('more than 2 s'),
        'same',
        expect.stringMatching(/./),
        'same',
      ])
    } finally {
      await reader.close()
    }
  })
})
