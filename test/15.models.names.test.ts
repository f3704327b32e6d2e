import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Qwen3Error } from '../lib/errors.ts'
import { aliases, identify, noteOn, refuseWithoutGguf, sourceOf } from '../lib/models/catalog.ts'
import { isSafePath, readName } from '../lib/models/name.ts'
import { choose, modelsAmong, notAmong, partsOf, quantOf } from '../lib/models/quant.ts'
import { Spans } from '../lib/models/spans.ts'

const nowhere = () => false

describe('a name', () => {
  const hub = (repo: string, more: object = {}) => ({
    kind: 'hub',
    repo,
    revision: 'main',
    ...more,
  })
  const alias = (name: string, quant = 'Q8_0') => ({ kind: 'alias', alias: name, quant })
  const path = (...parts: string[]) => ({ kind: 'path', path: resolve(...parts) })
  const commit = 'f4602530db1d980e16da9d7d3a70294cf5c190be'

  it.each<[string, object]>([
    ['mini', { kind: 'bundled' }],
    ['MINI', { kind: 'bundled' }],
    ['mini:q8_0', { kind: 'bundled' }],
    ['qwen3-embedding-0.6b', alias('qwen3-embedding-0.6b')],
    ['Qwen3-Embedding-4B:q4_k_m', alias('qwen3-embedding-4b', 'Q4_K_M')],
    ['qwen3-reranker-8b:fp16', alias('qwen3-reranker-8b', 'F16')],
    ['Qwen/Qwen3-Embedding-0.6B-GGUF', hub('Qwen/Qwen3-Embedding-0.6B-GGUF')],
    ['a/b:Q4_K_M', hub('a/b', { quant: 'Q4_K_M' })],
    ['a/b@v1.0', hub('a/b', { revision: 'v1.0' })],
    ['a/b:Q8_0@refs/pr/3', hub('a/b', { quant: 'Q8_0', revision: 'refs/pr/3' })],
    ['hf:a/b', hub('a/b')],
    ['hf://a/b', hub('a/b')],
    ['HuggingFace:a/b', hub('a/b')],
    ['hf:a/b/c.gguf', hub('a/b', { file: 'c.gguf' })],
    [`hf:a/b/sub/c.gguf@${commit}`, hub('a/b', { file: 'sub/c.gguf', revision: commit })],
    ['hf:a/b:UD-Q4_K_XL', hub('a/b', { quant: 'UD-Q4_K_XL' })],
    ['https://huggingface.co/a/b', hub('a/b')],
    ['https://huggingface.co/a/b/tree/dev', hub('a/b', { revision: 'dev' })],
    ['https://hf.co/a/b/blob/main/c.gguf', hub('a/b', { file: 'c.gguf' })],
    [
      'https://huggingface.co/a/b/resolve/main/c.gguf?download=true',
      hub('a/b', { file: 'c.gguf' }),
    ],
    ['./m.gguf', path('m.gguf')],
    ['../m', path('..', 'm')],
    ['m.gguf', path('m.gguf')],
    ['a/b/c.gguf', path('a/b/c.gguf')],
    ['/opt/m.gguf', path('/opt/m.gguf')],
    ['~/m.gguf', { kind: 'path', path: join(homedir(), 'm.gguf') }],
    ['C:\\models\\m.gguf', path('C:\\models\\m.gguf')],
    ['d:/models/m.gguf', path('d:/models/m.gguf')],
    [pathToFileURL('/opt/my model.gguf').href, { kind: 'path', path: '/opt/my model.gguf' }],
    ['https://x.org/m.gguf', { kind: 'url', url: 'https://x.org/m.gguf' }],
    ['http://localhost:8080/m.gguf', { kind: 'url', url: 'http://localhost:8080/m.gguf' }],
    [
      `https://x.org/m.gguf?v=1#sha256=${'AB'.repeat(32)}`,
      { kind: 'url', url: 'https://x.org/m.gguf?v=1', sha256: 'ab'.repeat(32) },
    ],
  ])('%s is understood', (name, meant) => {
    expect(readName(name, nowhere)).toEqual(meant)
  })

  it.each<[string, RegExp]>([
    ['', /empty/],
    ['  ', /empty/],
    ['a\0b', /NUL/],
    ['qwen3-embeding-0.6b', /Did you mean qwen3-embedding-0\.6b\?/],
    ['qwen3-embedding:0.6b', /Did you mean qwen3-embedding-0\.6b\?/],
    ['minni', /Did you mean mini\?/],
    ['gpt-oss', /"gpt-oss" is not the name of a model\. A model is named by a short name \(mini, /],
    ['mini:Q4_K_M', /mini comes in Q8_0 only/],
    ['qwen3-embedding-4b:', /no quantization after its colon/],
    ['hf:a', /names no repository/],
    ['hf:a/b:', /no quantization after its colon/],
    ['hf:a/b:Q8_0:Q4', /names no repository/],
    ['hf:../b', /names no repository/],
    ['hf:a/..', /names no repository/],
    ['hf:a/b@', /no valid @revision/],
    ['hf:a/b@../../x', /no valid @revision/],
    ['hf:a/b/c.txt', /path of a \.gguf/],
    ['hf:a/b/../../c.gguf', /path of a \.gguf/],
    ['https://x.org/m.bin', /not the address of a \.gguf/],
    ['https://x.org/m.gguf#sha256=12', /64 hex digits/],
    ['http://x.org/m.gguf', /unencrypted: use its https address/],
    ['https://', /not a valid address/],
    ['https://x.org/%2e%2e%2fm.gguf', /not the address of a \.gguf/],
    ['https://x.org/%zz.gguf', /not the address of a \.gguf/],
    ['https://huggingface.co/%zz/b', /not the address of a \.gguf/],
    ['https://huggingface.co/a/%2e%2e', /not the address|names no repository/],
    ['file://elsewhere/m.gguf', /not a file address of this machine/],
  ])('%j is refused', (name, sentence) => {
    const read = () => readName(name, nowhere)
    expect(read).toThrow(Qwen3Error)
    expect(read).toThrow(sentence)
    expect(read).toThrow(expect.objectContaining({ code: 'ERR_MODEL_NAME' }))
  })

  it('that is no string is misuse', () => {
    // @ts-expect-error: what a JavaScript caller may pass
    expect(() => readName(7)).toThrow(
      new TypeError('Expected a model name or path for the model but received 7'),
    )
  })

  it('of something on this disk means that', () => {
    for (const name of ['mini', 'qwen3-embedding-0.6b', 'a/b']) {
      expect(readName(name, () => true)).toEqual(path(name))
    }
    expect(readName('hf:a/b', () => true)).toEqual(hub('a/b'))
  })

  it('is a meaning or a Qwen3Error, whatever it is', () => {
    const starts = fc.constantFrom('', 'hf:a/', 'a/b:', 'https://huggingface.co/', 'https://x.org/')
    const ends = fc.constantFrom('', '.gguf')
    fc.assert(
      fc.property(fc.tuple(starts, fc.string(), ends), (parts) => {
        try {
          const meant = readName(parts.join(''), nowhere)
          if (meant.kind !== 'hub') return
          expect(meant.repo).toMatch(/^[\w.-]+\/[\w.-]+$/)
          expect(`/${meant.repo}/${meant.file ?? ''}/${meant.revision}/`).not.toMatch(/\/\.+\/|\\/)
        } catch (error) {
          expect(error).toBeInstanceOf(Qwen3Error)
        }
      }),
      { numRuns: 500 },
    )
  })

  it.each(['../x', 'a/../b', '/a', 'a//b', 'a\\b', 'C:/x', 'a/.', 'a.', 'a\n', ''])(
    'of a file that would leave the cache is unsafe: %j',
    (path) => expect(isSafePath(path)).toBe(false),
  )
})

describe('the catalogue', () => {
  it('knows a complete source for the default of every embedding model', () => {
    for (const alias of aliases.filter((name) => name.startsWith('qwen3-embedding'))) {
      const source = sourceOf(alias, 'Q8_0')
      expect(source.revision).toMatch(/^[0-9a-f]{40}$/)
      expect(source.files.Q8_0!.sha256).toMatch(/^[0-9a-f]{64}$/)
    }
  })

  it('files each known file under its own quantization and hash', () => {
    for (const alias of aliases.filter((name) => name !== 'mini')) {
      for (const [quant, file] of Object.entries(sourceOf(alias, 'Q8_0').files)) {
        expect(quantOf(file.path)).toBe(quant)
        expect(identify(file.sha256)?.name).toBe(`${alias}:${quant}`)
      }
    }
  })

  it('says what is wrong with known repositories', () => {
    expect(noteOn('mradermacher/Qwen3-Reranker-4B-GGUF')).toMatch(
      /without the reranker's head.*qwen3-reranker-4b/,
    )
    expect(noteOn('DevQuasar/Qwen.Qwen3-Reranker-0.6B-GGUF')).toMatch(/qwen3-reranker-0\.6b/)
    expect(noteOn('giladgd/Qwen3-Reranker-4B-GGUF')).toBeUndefined()
    expect(noteOn('mradermacher/Qwen3-Embedding-4B-GGUF')).toBeUndefined()
  })

  it.each<[string, RegExp]>([
    [
      'Qwen/Qwen3-Embedding-4B',
      /holds no GGUF file. Use qwen3-embedding-4b, which is Qwen\/Qwen3-Embedding-4B-GGUF/,
    ],
    ['qwen/qwen3-reranker-0.6b', /publishes no GGUF of its rerankers. Use qwen3-reranker-0\.6b/],
    ['Qwen/Qwen3-Reranker-8B-GGUF', /publishes no GGUF of its rerankers/],
  ])('sends %s to a repository that exists', (repo, sentence) => {
    expect(() => refuseWithoutGguf(repo)).toThrow(sentence)
  })

  it('lets the official GGUF repositories pass', () => {
    expect(() => refuseWithoutGguf('Qwen/Qwen3-Embedding-8B-GGUF')).not.toThrow()
  })
})

describe('a listing', () => {
  const files = (...paths: string[]) => paths.map((path) => ({ path }))

  it.each([
    ['Qwen3-Embedding-0.6B-Q8_0.gguf', 'Q8_0'],
    ['Qwen3-Embedding-0.6B-f16.gguf', 'F16'],
    ['qwen3-reranker-0.6b-q8_0.gguf', 'Q8_0'],
    ['Qwen3-Reranker-4B.Q4_K_M.gguf', 'Q4_K_M'],
    ['x-fp16.gguf', 'F16'],
    ['x-BF16.gguf', 'BF16'],
    ['x-IQ4_XS.gguf', 'IQ4_XS'],
    ['x-UD-Q4_K_XL.gguf', 'UD-Q4_K_XL'],
    ['x-MXFP4.gguf', 'MXFP4'],
    ['Q4_K_M/x-Q4_K_M-00001-of-00002.gguf', 'Q4_K_M'],
    ['model.gguf', undefined],
  ])('tells the quantization of %s', (path, quant) => {
    expect(quantOf(path)).toBe(quant)
  })

  it('groups parts, in order, and leaves incomplete splits and companions out', () => {
    const models = modelsAmong(
      files(
        'a-Q8_0-00002-of-00002.gguf',
        'a-Q8_0-00001-of-00002.gguf',
        'b-Q4_0-00001-of-00003.gguf',
        'mmproj-a-F16.gguf',
        'a.imatrix.gguf',
        'README.md',
      ),
    )
    expect(models).toEqual([
      { quant: 'Q8_0', files: files('a-Q8_0-00001-of-00002.gguf', 'a-Q8_0-00002-of-00002.gguf') },
    ])
  })

  it('yields the default, the quantization or the file that is asked for', () => {
    const models = modelsAmong(files('a-Q8_0.gguf', 'a-Q4_K_M.gguf', 'a-f16.gguf'))
    const pick = (wish: object) => choose(models, wish, 'x/y', 'lone model will do')?.files[0]?.path
    expect(pick({})).toBe('a-Q8_0.gguf')
    expect(pick({ quant: 'q4_k_m' })).toBe('a-Q4_K_M.gguf')
    expect(pick({ quant: 'FP16' })).toBe('a-f16.gguf')
    expect(pick({ file: 'a-f16.gguf' })).toBe('a-f16.gguf')
    expect(pick({ quant: 'Q2_K' })).toBeUndefined()
    expect(notAmong(models, { quant: 'Q2_K' }, 'x/y', 'a repository').message).toBe(
      'x/y holds no Q2_K. Append one of :Q8_0 :Q4_K_M :F16 to the name',
    )
  })

  it('never guesses between two models', () => {
    const two = modelsAmong(files('a-Q8_0.gguf', 'b-Q8_0.gguf'))
    expect(() => choose(two, {}, 'x/y', 'lone model will do')).toThrow(
      /2 models of Q8_0. Name the file itself: a-Q8_0\.gguf, b-Q8_0\.gguf/,
    )
    const others = modelsAmong(files('a-Q4_0.gguf', 'a-Q5_0.gguf'))
    expect(choose(others, {}, 'x/y', 'lone model will do')).toBeUndefined()
    const lone = modelsAmong(files('model.gguf'))
    expect(choose(lone, {}, 'x/y', 'lone model will do')).toBe(lone[0])
    expect(choose(lone, {}, 'x/y', 'default only')).toBeUndefined()
  })

  it('knows all parts from any one of them', () => {
    const parts = ['a-00001-of-00002.gguf', 'a-00002-of-00002.gguf']
    expect(partsOf(parts[1]!)).toEqual(parts)
    expect(partsOf('a.gguf')).toEqual(['a.gguf'])
  })
})

describe('spans', () => {
  const size = 40
  const range = fc
    .tuple(fc.nat(size), fc.nat(size))
    .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const)

  it('agree with a plain list of bytes', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 12 }), range, (added, [from, to]) => {
        const spans = new Spans()
        const there = new Array<boolean>(size).fill(false)
        for (const [start, end] of added) {
          spans.add(start, end)
          there.fill(true, start, end)
        }
        const firstGap = there.indexOf(false)
        expect(spans.bytes).toBe(there.filter(Boolean).length)
        expect(spans.frontier).toBe(firstGap === -1 ? size : firstGap)
        const missing = new Set(spans.missing(from, to).flatMap(([a, b]) => numbers(a, b)))
        expect(missing).toEqual(new Set(numbers(from, to).filter((i) => !there[i])))
        expect(Spans.from(JSON.parse(JSON.stringify(spans)), size)?.toJSON()).toEqual(
          spans.toJSON(),
        )
      }),
    )
  })

  it.each([7, null, {}, [[1]], [[3, 2]], [[-1, 2]], [[0, 41]], [[0, 1.5]], [['0', 1]]])(
    'are not read from %j',
    (value) => expect(Spans.from(value, size)).toBeUndefined(),
  )

  function numbers(from: number, to: number): number[] {
    return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i)
  }
})
