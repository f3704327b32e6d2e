import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Embedder } from 'qwen3-embed'
import { Index } from 'qwen3-embed/search'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { fixture } from './fixtures/models.ts'

const base = mkdtempSync(join(tmpdir(), 'search-index-'))
let folder: string
let file: string
let embedder: Embedder
let number = 0

beforeAll(async () => {
  embedder = await Embedder.load('mini')
})
beforeEach(() => {
  folder = join(base, `${++number}`)
  file = join(base, `${number}.index`)
  mkdirSync(folder)
})
afterAll(async () => {
  await embedder.close()
  rmSync(base, { recursive: true, force: true })
})

function write(files: Record<string, string | Buffer>) {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
    // Long ago, so that what was read holds still.
    const time = new Date(Date.now() - 3_600_000 + 1000 * number)
    utimesSync(join(folder, name), time, time)
  }
}

async function opened(options = {}) {
  const index = await Index.open(file, { embedder, standIn: null, ...options })
  await index.addRoot(folder)
  return index
}

const names = async (index: Index, query: string, options = {}) =>
  (await index.search(query, options)).hits.map(({ name }) => name)

const notes = {
  'boiler.md':
    '# Heating\n\nThe boiler in the cellar loses pressure every winter.\n\n## Repair\n\nCall the plumber and bleed the radiators.',
  'train.txt': 'Our train to Lisbon leaves at nine. The tickets are in the drawer.',
  'lib/queue.ts':
    'export class JobQueue {\n  /** Tries again after a pause. */\n  retryLater() {}\n}\n',
  'test/queue.test.ts': "it('retries', () => new JobQueue().retryLater())\n",
}

describe('an index', () => {
  it('answers by words and by meaning, with the place and the reason', async () => {
    write(notes)
    await using index = await opened()
    const report = await index.update()
    expect(report).toMatchObject({ files: 4, read: 4, failed: 0, skipped: 0 })
    const { hits, weak, coverage, fingerprint, stale } =
      await index.search('who repairs the heating')
    expect(hits[0]).toMatchObject({
      name: 'boiler.md',
      kind: 'markdown',
      by: 'main',
      title: 'Heating',
    })
    expect(hits[0]!.head).toBe('Heating > Repair')
    expect(hits[0]!.matched).toContain('repair')
    expect({ weak, coverage, stale }).toEqual({ weak: false, coverage: 1, stale: false })
    expect(fingerprint).toBe(embedder.info.fingerprint)
    const text = readFileSync(hits[0]!.path, 'utf8').split('\n')
    expect(text.slice(hits[0]!.lines[0] - 1, hits[0]!.lines[1]).join('\n')).toBe(hits[0]!.text)
    const whole = await index.passage(hits[0]!.id, { around: 1000 })
    expect(whole.text).toBe(notes['boiler.md'])
    expect(await index.check()).toEqual([])
  })

  it('puts definitions before uses, and code before its tests', async () => {
    write(notes)
    await using index = await opened()
    await index.update()
    expect((await names(index, 'JobQueue'))[0]).toBe('lib/queue.ts')
    expect((await names(index, 'test of JobQueue retry'))[0]).toBe('test/queue.test.ts')
  })

  it('obeys phrases, exclusions and filters before it ranks', async () => {
    write(notes)
    await using index = await opened()
    await index.update()
    expect(await names(index, '"bleed the radiators"')).toEqual(['boiler.md'])
    expect(await names(index, '"radiators the bleed"')).toEqual([])
    expect(await names(index, 'queue -class')).not.toContain('lib/queue.ts')
    expect(await names(index, 'anything at all', { types: ['text'] })).toEqual(['train.txt'])
    expect(await names(index, 'anything', { in: ['lib/**'] })).toEqual(['lib/queue.ts'])
    expect(await names(index, 'train', { since: Date.now() })).toEqual([])
    await expect(index.search('x', { typs: ['text'] } as never)).rejects.toThrow(
      'Did you mean types',
    )
    await expect(index.search(' ')).rejects.toThrow(TypeError)
    await expect(index.search('x', { limit: 0 })).rejects.toThrow(RangeError)
  })

  it('finds any two letters and more of scripts without spaces', async () => {
    const texts = {
      'zh.md': '人工智能正在改变我们的生活方式',
      'ja.md': '東京タワーの近くに新しい図書館ができました',
      'ko.md': '서울에서 열린 국제회의에 참석했다',
      'th.md': 'ภาษาไทยเขียนโดยไม่เว้นวรรค',
    }
    write({ ...texts, 'other.md': '完全に別の話、다른 이야기, 另一个故事' })
    await using index = await opened()
    await index.update({ vectors: false })
    for (const [name, text] of Object.entries(texts))
      for (const part of text.split(' '))
        for (let size = 2; size <= Math.min(5, part.length); size++)
          for (let at = 0; at + size <= part.length; at += 3) {
            const asked = part.slice(at, at + size)
            // A mark alone is no letter.
            if (/^\p{M}|^.\p{M}+$/u.test(asked)) continue
            expect(await names(index, `"${asked}"`, { alpha: 0 }), asked).toContain(name)
            expect((await names(index, asked, { alpha: 0 }))[0], asked).toBe(name)
          }
  })

  it('finds by meaning what exact vectors find', async () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
    write({
      'readme.md': readme,
      'server.md': readFileSync(new URL('../docs/server.md', import.meta.url), 'utf8'),
    })
    await using index = await opened()
    await index.update()
    const passages: { text: string; vector: Float32Array }[] = []
    for await (const { text, input } of index.passages())
      passages.push({
        text,
        vector: await embedder.embed([input], { role: 'document' }).then(([one]) => one!),
      })
    const questions = [
      'how do I keep a model loaded',
      'which errors are there',
      'speed on a CPU',
      'an API key',
      'French',
    ]
    let same = 0
    for (const question of questions) {
      const asked = await embedder.embedQuery(question)
      const dot = (vector: Float32Array) => vector.reduce((sum, x, i) => sum + x * asked[i]!, 0)
      const best = passages.toSorted((a, b) => dot(b.vector) - dot(a.vector)).slice(0, 5)
      const { hits } = await index.search(question, {
        alpha: 1,
        limit: 5,
        perFile: 5,
        longest: 100,
      })
      same += best.filter(({ text }) => hits.some((hit) => hit.text === text)).length
    }
    expect(same).toBeGreaterThanOrEqual(24)
  })

  it('says when nothing here matches', async () => {
    write(notes)
    await using index = await opened()
    await index.update()
    expect((await index.search('xylophone concerto', { alpha: 0 })).weak).toBe(true)
    expect((await index.search('boiler pressure')).weak).toBe(false)
    // By its cosine, which is below what questions about anything have here.
    expect((await index.search('gluon plasma viscosity')).weak).toBe(true)
  })

  it('reads again only what changed, and computes again only passages that did', async () => {
    write({
      ...notes,
      'long.md': Array.from(
        { length: 30 },
        (_, i) => `## Part ${i}\n\n${`Sentence ${i} of it. `.repeat(40)}`,
      ).join('\n\n'),
    })
    await using index = await opened()
    const first = await index.update()
    expect(first.embedded).toBeGreaterThan(25)
    expect(await index.update()).toMatchObject({ read: 0, removed: 0, embedded: 0, files: 5 })
    write({
      'long.md': readFileSync(join(folder, 'long.md'), 'utf8').replace(
        'Sentence 7 of',
        'Changed 7 of',
      ),
    })
    const second = await index.update()
    expect(second).toMatchObject({ read: 1 })
    expect(second.embedded).toBeGreaterThan(0)
    expect(second.embedded).toBeLessThan(3)
    // Another time on the same bytes is no change.
    write({ 'train.txt': notes['train.txt'] })
    expect(await index.update()).toMatchObject({ read: 0, embedded: 0 })
  })

  it('measures how much meaning counts, the same whatever the order', async () => {
    const things = ['boiler', 'radiator', 'bicycle', 'violin', 'orchard', 'harbour', 'lantern']
    const verbs = ['was repaired', 'was sold to a neighbour', 'made a strange noise', 'got painted']
    const sentence = (i: number) =>
      `The ${things[i % 7]} number ${i} of house ${i % 13} ${verbs[i % 4]} on day ${i * 17}.`
    const all = Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [
        `${i}.md`,
        `# Day ${i}\n\n${[3 * i, 3 * i + 1, 3 * i + 2].map(sentence).join(' ')}`,
      ]),
    )
    write(all)
    await using index = await opened()
    await index.update()
    const [space] = (await index.status()).spaces
    expect(space!.weight).toBeGreaterThanOrEqual(0.2)
    expect(space!.weight).toBeLessThanOrEqual(0.5)
    await using other = await Index.open(`${file}2`, { embedder, standIn: null })
    for (const name of Object.keys(all)) rmSync(join(folder, name))
    write({ 'few.md': 'Too few to measure anything.' })
    await other.addRoot(folder)
    await other.update()
    expect((await other.status()).spaces[0]!.weight).toBeNull()
    rmSync(join(folder, 'few.md'))
    write(Object.fromEntries(Object.entries(all).reverse()))
    await other.update({ takeOutMost: true })
    expect((await other.status()).spaces[0]!.weight).toBe(space!.weight)
  })

  it('follows moves, copies and deletions without computing anything', async () => {
    write(notes)
    await using index = await opened()
    await index.update()
    renameSync(join(folder, 'train.txt'), join(folder, 'lib/train.txt'))
    copyFileSync(join(folder, 'boiler.md'), join(folder, 'copy.md'))
    expect(await index.update()).toMatchObject({ read: 2, removed: 1, embedded: 0 })
    expect((await names(index, 'tickets to Lisbon'))[0]).toBe('lib/train.txt')
    const [hit] = (await index.search('bleed the radiators')).hits
    expect([hit!.name, ...hit!.also!].sort()).toEqual(['boiler.md', 'copy.md'])
    rmSync(join(folder, 'copy.md'))
    rmSync(join(folder, 'boiler.md'))
    expect(await index.update()).toMatchObject({ removed: 2 })
    expect(await names(index, 'radiators', { alpha: 0 })).toEqual([])
    expect(await index.check()).toEqual([])
  })

  it('gives the same answers however it came to be', async () => {
    write(notes)
    await using index = await opened()
    await index.update()
    const question = 'when does something have to be tried again'
    const { hits } = await index.search(question)
    rmSync(join(folder, 'train.txt'))
    write({ 'zzz.md': 'x '.repeat(4000), 'boiler.md': 'something else' })
    await index.update()
    rmSync(join(folder, 'zzz.md'))
    write(notes)
    await index.update()
    await using other = await Index.open(`${file}2`, { embedder, standIn: null })
    await other.addRoot(folder)
    await other.update()
    expect(await index.digest()).toBe(await other.digest())
    const anonymous = (list: typeof hits) => list.map(({ id: _, date: __, ...rest }) => rest)
    expect(anonymous((await index.search(question)).hits)).toEqual(anonymous(hits))
    expect(anonymous((await other.search(question)).hits)).toEqual(anonymous(hits))
  })

  it('keeps what it knows of a folder that is away, and of one that lost most', async () => {
    write(
      Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`${i}.txt`, `note number ${i}`])),
    )
    await using index = await opened()
    await index.update()
    renameSync(folder, `${folder}-away`)
    expect(await index.update()).toMatchObject({ missing: [folder], removed: 0 })
    expect(await names(index, 'note number 7', { alpha: 0 })).toContain('7.txt')
    renameSync(`${folder}-away`, folder)
    for (let i = 0; i < 25; i++) rmSync(join(folder, `${i}.txt`))
    expect(await index.update()).toMatchObject({ removed: 0, kept: 25 })
    expect(await index.update({ takeOutMost: true })).toMatchObject({ removed: 25, kept: 0 })
    expect(await index.removeRoot(folder)).toBe(true)
    expect((await index.status()).passages).toBe(0)
  })

  it('holds texts that are no files', async () => {
    await using index = await Index.open(file, { embedder, standIn: null })
    await index.put({
      path: 'mail/1',
      text: 'The invoice of the gardener is due on Friday.',
      title: 'Invoice',
    })
    await index.put({ path: 'mail/1', text: 'The invoice of the painter is due on Monday.' })
    expect(await names(index, 'painter')).toEqual(['mail/1'])
    await index.update()
    expect((await index.search('when must I pay the artist')).hits[0]).toMatchObject({
      by: 'main',
      path: 'mail/1',
    })
    expect(await index.remove('mail/1')).toBe(true)
    expect(await index.remove('mail/1')).toBe(false)
  })
})

describe('what is not read', () => {
  it.each([
    [
      'what .gitignore says',
      { '.gitignore': '*.log\n/secret/\n', 'a.log': 'x', 'secret/a.txt': 'x' },
    ],
    ['what a nested one says', { 'sub/.gitignore': 'gone.txt', 'sub/gone.txt': 'x' }],
    ['what .qwen3ignore says', { '.qwen3ignore': 'private/', 'private/a.txt': 'x' }],
    [
      'what tools made',
      { 'node_modules/x/index.js': 'x', 'dist/a.js': 'x', 'package-lock.json': '{}' },
    ],
    ['hidden', { '.cache/a.txt': 'x', '.env': 'SECRET=1' }],
  ])('is %s', async (_, files) => {
    write({ 'kept.txt': 'kept', ...(files as unknown as Record<string, string>) })
    await using index = await opened()
    expect(await index.update({ vectors: false })).toMatchObject({ files: 1, read: 1 })
  })

  it('is what a nested file takes back from an outer one', async () => {
    write({
      '.gitignore': '*.log',
      'sub/.gitignore': '!kept.log',
      'sub/kept.log': 'x',
      'a.log': 'x',
    })
    await using index = await opened()
    await index.update({ vectors: false })
    expect((await index.list()).map(({ name }) => name)).toEqual(['sub/kept.log'])
  })

  it('is a line of the report, and never the end', async () => {
    write({
      'fine.txt': 'fine',
      'binary.dat': Buffer.from([1, 0, 2, 3, 0]),
      'picture.png': Buffer.from('89504e47', 'hex'),
      'large.txt': 'x'.repeat(3_000),
      'broken.docx': 'no zip',
      'broken.pdf': '%PDF-1.7 nothing',
      [`${'n'.repeat(251)}.txt`]: 'a long name',
      'line\nbreak.txt': 'a name with a line break',
      'empty.txt': '',
    })
    symlinkSync('.', join(folder, 'loop'))
    symlinkSync('/etc/passwd', join(folder, 'outside.txt'))
    await using index = await Index.open(file, { embedder, standIn: null })
    await index.addRoot(folder, { maxFile: 2_000 })
    const report = await index.update()
    expect(report).toMatchObject({ files: 9, read: 4, skipped: 3, failed: 2 })
    const states = new Map((await index.list()).map(({ name, why }) => [name, why]))
    expect(states.get('binary.dat')).toBe('binary')
    expect(states.get('large.txt')).toMatch(/larger than/)
    expect(states.get('broken.docx')).toMatch(/zip/)
    expect(await names(index, '"line break"')).toEqual(['line\nbreak.txt'])
    expect(await index.update()).toMatchObject({ read: 0, skipped: 0, failed: 0 })
    expect((await index.status()).unreadFiles).toBe(5)
  })

  it.skipIf(process.getuid?.() === 0)(
    'is what may not be read; what was known of it stays',
    async () => {
      write({ 'a.txt': 'mango orchard', 'sub/b.txt': 'papaya orchard' })
      await using index = await opened()
      await index.update()
      chmodSync(join(folder, 'a.txt'), 0)
      chmodSync(join(folder, 'sub'), 0)
      utimesSync(join(folder, 'a.txt'), new Date(), new Date())
      expect(await index.update()).toMatchObject({ failed: 1, removed: 0 })
      chmodSync(join(folder, 'sub'), 0o755)
      expect((await names(index, 'orchard')).sort()).toEqual(['a.txt', 'sub/b.txt'])
    },
  )
})

describe('other models', () => {
  it('stand in until the main one is done, and say so', async () => {
    write(notes)
    await using words = await Index.open(file, { embedder: fixture('embed'), standIn: embedder })
    await words.addRoot(folder)
    await words.update({ vectors: false })
    expect((await words.search('heating')).hits[0]).toMatchObject({
      by: 'words',
      name: 'boiler.md',
    })
    const stop = new AbortController()
    const onProgress = ({ phase, done, total }: { phase: string; done: number; total: number }) => {
      if (phase === 'embed' && done === total) stop.abort()
    }
    await expect(words.update({ onProgress, signal: stop.signal })).rejects.toThrow('abort')
    expect((await words.search('heating')).hits[0]!.by).toBe('stand-in')
    await words.update()
    const { hits, coverage } = await words.search('heating')
    expect(hits[0]!.by).toBe('main')
    expect(coverage).toBe(1)
  })

  it('take over when they are chosen, and nothing is mixed', async () => {
    write(notes)
    await using index = await opened()
    await index.update()
    await index.close()
    await using other = await Index.open(file, { embedder: fixture('embed-other'), standIn: null })
    const { remarks } = await other.search('heating')
    expect(remarks.join()).toMatch(/is not the one that the index was made with/)
    const report = await other.update()
    expect(report.remarks.join()).toMatch(/are made anew by/)
    const { spaces } = await other.status()
    expect(spaces.map(({ role, passages }) => [role, passages])).toEqual([['main', 5]])
    await other.close()
    // The model is remembered by its name.
    await using again = await Index.open(file, { readOnly: true, standIn: null })
    expect((await again.search('heating')).hits[0]!.by).toBe('main')
  })
})

describe('the file', () => {
  it('is copied while it is in use', async () => {
    write(notes)
    await using index = await opened()
    await index.update()
    await index.backup(`${file}.copy`)
    await using copy = await Index.open(`${file}.copy`, { readOnly: true, embedder, standIn: null })
    expect(await copy.digest()).toBe(await index.digest())
    await expect(copy.update()).rejects.toThrow('readOnly')
    await expect(index.backup(`${file}.copy`)).rejects.toThrow()
  })

  it('that is damaged, of another kind or not there is refused in words', async () => {
    await expect(Index.open(join(base, 'none.index'), { readOnly: true })).rejects.toMatchObject({
      code: 'ERR_INDEX_NOT_FOUND',
    })
    writeFileSync(file, 'this is no database at all, only a text that is long enough'.repeat(100))
    await expect(Index.open(file)).rejects.toMatchObject({ code: 'ERR_INDEX_DAMAGED' })
    write(notes)
    rmSync(file)
    await using index = await opened()
    await index.update()
    await index.close()
    const bytes = readFileSync(file)
    bytes.fill(0x5a, 4096, bytes.length - 4096)
    writeFileSync(file, bytes)
    await expect(
      (async () => {
        await using damaged = await Index.open(file, { readOnly: true, embedder })
        return await damaged.check()
      })(),
    ).rejects.toMatchObject({ code: 'ERR_INDEX_DAMAGED' })
  })

  it('that was closed answers nothing', async () => {
    const index = await opened()
    await index.close()
    await index.close()
    await expect(index.search('x')).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    await expect(index.update()).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  })
})
