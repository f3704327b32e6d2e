import { execFileSync, execSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { fixture } from './fixtures/models.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const page = (name: string) => readFileSync(join(root, 'docs', name), 'utf8')
const blocks = (text: string) =>
  [...text.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code!)
const run = (code: string) =>
  execFileSync(process.execPath, ['--input-type=module', '--eval', code], {
    cwd: root,
    encoding: 'utf8',
  })

describe.each([
  'which.md',
  'electron.md',
  'llamaindex.md',
  'eval.md',
  'adapters.md',
  'train.md',
  'search.md',
])('docs/%s', (name) => {
  it('imports names that exist', () => {
    const imports = blocks(page(name)).flatMap((code) => [
      ...code.matchAll(/import \{ ([\w, ]+) \} from '(qwen3-embed[\w/]*)'/g),
    ])
    expect(imports.length).toBeGreaterThan(0)
    for (const [, names, from] of imports) {
      const code = `import { ${names} } from '${from}'; console.log([${names}].every(Boolean))`
      expect(run(code), `${names} of ${from}`).toBe('true\n')
    }
  })

  it('links to files that exist', () => {
    for (const [, target] of page(name).matchAll(/\]\(([^)#]+)[^)]*\)/g)) {
      expect(existsSync(join(root, 'docs', target!)), target).toBe(true)
    }
  })
})

it('has a recipe for LlamaIndex.TS that works', () => {
  const [recipe] = blocks(page('llamaindex.md'))
  const use = `
    const texts = ['Bees carry pollen.', 'Berlin is the capital of Germany.']
    const nodes = texts.map((text) => ({ getContent: () => text }))
    const embedding = new Qwen3Embedding('mini')
    const query = await embedding.getQueryEmbedding({ type: 'text', text: 'German capital' })
    const score = (vector) => vector.reduce((sum, x, i) => sum + x * query[i], 0)
    const [bees, berlin] = (await embedding.transform(nodes)).map((node) => score(node.embedding))
    const reranker = new Qwen3Postprocessor(${JSON.stringify(fixture('rerank'))}, 1)
    const ranked = await reranker.postprocessNodes(nodes.map((node) => ({ node })), 'German capital')
    console.log(berlin > bees, ranked.length, ranked[0].score > 0, texts.includes(ranked[0].node.getContent()))`
  expect(run(recipe + use)).toBe('true 1 true true\n')
})

describe('docs/search.md', () => {
  const folder = mkdtempSync(join(tmpdir(), 'docs-search-'))
  const [program, adapter] = blocks(page('search.md'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('has a program that finds something', () => {
    expect(run(program!.replace("'notes.index'", JSON.stringify(join(folder, 'a.index'))))).toMatch(
      /docs\/.*\.md/,
    )
  })

  it('has a way to LanceDB that finds the same first', () => {
    const use = `
      import { Embedder } from 'qwen3-embed'
      import { Index } from 'qwen3-embed/search'
      const index = await Index.open(${JSON.stringify(join(folder, 'b.index'))})
      await index.addRoot('docs')
      await index.update()
      const table = await copyTo(${JSON.stringify(join(folder, 'lance'))}, index)
      const embedder = await Embedder.load('mini')
      const question = 'how do I keep a model loaded'
      const [row] = await table.search([...(await embedder.embedQuery(question))]).distanceType('cosine').limit(1).toArray()
      const { hits } = await index.search(question, { alpha: 1, limit: 1 })
      const { passages } = await index.status()
      console.log((await table.countRows()) === passages, hits[0].text.includes(row.text))
      await index.close()
      await embedder.close()`
    const code = adapter!
      .replace(/^export (async function)/m, '$1')
      .replace(/^export \{ Index \}$/m, '')
    expect(run(code + use)).toBe('true true\n')
  })
})

describe('docs/eval.md', () => {
  const folder = mkdtempSync(join(tmpdir(), 'docs-eval-'))
  const env = { ...process.env, QWEN3_EMBED_CACHE: join(folder, 'cache') }
  // The reader's own questions are the bundled ones here.
  cpSync(join(root, 'lib/eval/collections/handbook'), join(folder, 'my-questions'), {
    recursive: true,
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('has shell lines that run in their order, and do what it says', () => {
    const lines = [...page('eval.md').matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, text]) =>
      text!.trim().split('\n'),
    )
    const outputs = lines.map((line) => {
      const command = line.replace(
        /^npx qwen3-embed /,
        `"${process.execPath}" "${join(root, 'dist/cli/main.js')}" `,
      )
      expect(command).not.toBe(line)
      return execSync(command, {
        cwd: folder,
        env,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      })
    })
    expect(outputs.length).toBe(7)
    expect(outputs[0]).toMatch(
      /^handbook \(all\)\s+retrieval: 60 documents, 50 queries, 56 judgements/,
    )
    expect(outputs[1]).toContain('mini · 64 is not better than mini · 256, nor worse')
    expect(existsSync(join(folder, 'pictures/difference.svg'))).toBe(true)
    expect(outputs[4]).toContain('mini · 128 · int8')
    expect(outputs[6]).toContain('qwen3-embed eval run --suite')
  })

  it('has code that runs', () => {
    const [code] = blocks(page('eval.md'))
    const output = execFileSync(process.execPath, ['--input-type=module', '--eval', code!], {
      cwd: root,
      env,
      encoding: 'utf8',
    })
    expect(output).toContain("'ndcg@10'")
  })
})
