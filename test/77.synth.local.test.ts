// A chat model of this machine's makes queries: a tiny one with random weights, whose answers have a form all the same.
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { synth, type SynthOptions } from '../dist/synth/index.js'
import { call, type NativeGenerator, type NativeGeneratorOptions, native } from '../lib/native.ts'
import { grammarOf, mostBytes } from '../lib/synth/llm/grammar.ts'
import {
  type Call,
  type Configuration,
  configurationCall,
  queryCall,
} from '../lib/synth/llm/prompts.ts'
import { chatTemplate, writeChatModel } from './fixtures/chat-model.ts'
import { string } from './fixtures/gguf-writer.ts'
import { fixture } from './fixtures/models.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'synth-local-'))
const at = (name: string) => join(folder, name)
const path = at('chat.gguf')
const speaking = at('speaking.gguf')
beforeAll(() => {
  writeChatModel(path)
  writeChatModel(speaking, { speaks: true })
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function loaded(more: Partial<NativeGeneratorOptions> = {}): Promise<NativeGenerator> {
  const { binding, libraries } = native()
  const generator = new binding.Generator()
  const options = { path, threads: 1, sequences: 8, maxTokens: 0, ...more }
  try {
    await call(generator.load(options, libraries))
  } catch (error) {
    await generator.close()
    throw error
  }
  return generator
}

const ask = (generator: NativeGenerator, { messages, schema }: Call, seed: number) =>
  call(
    generator.ask(
      messages[0]!.content,
      messages[1]!.content,
      grammarOf(schema),
      mostBytes(schema),
      seed,
    ),
  )

// Quotes, backslashes, control characters and half a surrogate pair, which all have to be spelt in a grammar.
const characters = [
  'a "quoted" keeper of bees',
  'one with a \\ and a\nbreak',
  'wer Umlaute schätzt 🐝',
  'half a pair \ud83d',
  'plain',
]
const configuration: Configuration = {
  character: 'a keeper of bees',
  question_type: 'acquire_knowledge',
  difficulty: 'university',
}
const passageOf = (i: number) =>
  `Passage ${i}. ${'Bees keep warm in winter by sitting close together. '.repeat(1 + (i % 4))}`
const query = (i: number): Call => {
  const asked = queryCall(passageOf(i), { ...configuration, words: 5 + i, language: undefined })
  // As long as they may be, or shorter, so that the end is the grammar's doing.
  const maxLength = i % 4 === 0 ? 300 : 30
  const properties = { query: { type: 'string' as const, minLength: 2, maxLength } }
  return { ...asked, schema: { ...asked.schema, properties } }
}
const calls = Array.from({ length: 12 }, (_, i) => [
  query(i),
  configurationCall(passageOf(i), characters),
]).flat()

describe('answers', () => {
  it('have their form, all of them, and the grammar ends them', async () => {
    const generator = await loaded()
    const answers = await Promise.all(calls.map((one, i) => ask(generator, one, i)))
    let atMost = 0
    for (const [i, { text, complete }] of answers.entries()) {
      expect(complete).toBe(true)
      const value = JSON.parse(text)
      if (calls[i]!.name === 'query') {
        expect(Object.keys(value)).toEqual(['query'])
        const letters = [...value.query].length
        expect(letters).toBeGreaterThanOrEqual(2)
        expect(letters).toBeLessThanOrEqual(i % 8 === 0 ? 300 : 30)
        if (letters === 30) atMost++
      } else {
        expect(Object.keys(value)).toEqual(['character', 'question_type', 'difficulty'])
        expect(characters).toContain(value.character)
      }
    }
    expect(atMost).toBeGreaterThan(0)
    const chosen = answers.map(({ text }) => JSON.parse(text).character).filter(Boolean)
    expect(new Set(chosen).size).toBeGreaterThan(2)
    await generator.close()
  })

  it('are valid Unicode where letters take several tokens, and escapes are JSON', async () => {
    const generator = await loaded()
    const grammar =
      'root ::= "\\"" part{10} "\\""\npart ::= wide{3} escape\n' +
      'wide ::= [^\\x00-\\u4000]\nescape ::= "\\\\" ["\\\\/nt]\n'
    const texts = await Promise.all(
      Array.from({ length: 24 }, (_, i) => call(generator.ask('Say.', 'What?', grammar, 400, i))),
    )
    let [wide, escapes] = [0, 0]
    for (const { text, complete } of texts) {
      expect(complete).toBe(true)
      // What is no UTF-8 becomes U+FFFD on its way here.
      expect(text).not.toContain('\uFFFD')
      const said: string = JSON.parse(text)
      expect([...said].length).toBe(40)
      wide += [...said].filter((letter) => letter.codePointAt(0)! > 0x4000).length
      escapes += text.split('\\').length - 1
    }
    expect(wide).toBe(24 * 30)
    expect(escapes).toBeGreaterThanOrEqual(24 * 10)
    await generator.close()
  })

  it('are the same bytes alone, eight at a time, in another order, with other threads', async () => {
    const generator = await loaded()
    const together = await Promise.all(calls.map((one, i) => ask(generator, one, i)))
    for (const i of [0, 3, 10, 21]) {
      expect(await ask(generator, calls[i]!, i)).toEqual(together[i])
    }
    await generator.close()
    const other = await loaded({ threads: 2 })
    const order = [19, 7, 2, 14, 5]
    const again = await Promise.all(order.map((i) => ask(other, calls[i]!, i)))
    expect(again).toEqual(order.map((i) => together[i]))
    await other.close()
  })

  it('are others for another seed', async () => {
    const generator = await loaded()
    const texts = await Promise.all(
      Array.from({ length: 12 }, (_, seed) => ask(generator, query(0), seed)),
    )
    expect(new Set(texts.map(({ text }) => text)).size).toBe(12)
    await generator.close()
  })

  it('are cut at the most tokens, and say so', async () => {
    const generator = await loaded()
    const cut = await call(generator.ask('Say.', 'What?', 'root ::= "x"{50} "y"', 7, 1))
    expect(cut).toMatchObject({ complete: false, tokens: 7 })
    expect(cut.text).toMatch(/^x+$/)
    await generator.close()
  })
})

it('what a passage says is text, whatever marks it has; thinking is switched off', async () => {
  const generator = await loaded()
  const tokens = async (user: string) =>
    (await call(generator.ask('Say.', user, 'root ::= "x"', 4, 1))).promptTokens
  const [one, two] = [await tokens('a'), await tokens('a<|im_end|>')]
  // As a mark it would be one token.
  expect(two - one).toBeGreaterThan(3)
  expect(await tokens('a\0b')).toBeGreaterThan(one)
  expect(await tokens('')).toBe(one - 1)
  await generator.close()
  const plain = at('plain.gguf')
  const metadata = { 'tokenizer.chat_template': string('{{ "<|im_start|>" }}') }
  writeChatModel(plain, { metadata })
  const other = await loaded({ path: plain })
  const without = await call(other.ask('Say.', 'a', 'root ::= "x"', 4, 1))
  expect(one).toBeGreaterThan(without.promptTokens)
  await other.close()
})

describe('life', () => {
  it('abort ends what was asked, and not what is asked after', async () => {
    const generator = await loaded()
    const asked = calls.map((one, i) => ask(generator, one, i))
    await new Promise((resolve) => setTimeout(resolve, 100))
    generator.abort()
    const later = ask(generator, query(0), 0)
    const ends = await Promise.allSettled(asked)
    expect(ends.some(({ status }) => status === 'rejected')).toBe(true)
    for (const end of ends) {
      if (end.status === 'rejected') expect(end.reason).toMatchObject({ code: 'ERR_ABORTED' })
    }
    expect(JSON.parse((await later).text)).toHaveProperty('query')
    await generator.close()
  })

  it('close ends what was asked, twice, and refuses more', async () => {
    const generator = await loaded()
    const asked = calls.map((one, i) => ask(generator, one, i))
    const ends = Promise.allSettled(asked)
    await Promise.all([generator.close(), generator.close()])
    expect((await ends).some(({ status }) => status === 'rejected')).toBe(true)
    await expect(ask(generator, query(0), 0)).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    await generator.close()
  })

  it.each(['process.exit(3)', 'setTimeout(() => process.exit(3), 300)'])(
    'ends with its process: %s',
    async (end) => {
      const script = `
        import { native } from ${JSON.stringify(pathToFileURL(join(root, 'dist/native.js')).href)}
        const { binding, libraries } = native()
        const generator = new binding.Generator()
        await generator.load({ path: process.argv[1], threads: 1, sequences: 8, maxTokens: 0 }, libraries)
        for (let i = 0; i < 20; i++) generator.ask('Say.', 'What?', 'root ::= "x" [a-z]{900}', 1000, i)
        ${end}`
      const args = ['--input-type=module', '-e', script, path]
      await expect(promisify(execFile)(process.execPath, args)).rejects.toMatchObject({ code: 3 })
    },
  )

  it.runIf(process.platform === 'linux')(
    'tells that there is no memory for a context, and goes on with less',
    async () => {
      const large = at('large.gguf')
      writeChatModel(large, { contextLength: 1_048_576 })
      const script = `
        import { native } from ${JSON.stringify(pathToFileURL(join(root, 'dist/native.js')).href)}
        const { binding, libraries } = native()
        const generator = new binding.Generator()
        const options = { path: process.argv[1], threads: 1, sequences: 16, maxTokens: 1_000_000 }
        await generator.load(options, libraries)
        const ask = (most) => generator.ask('Say.', 'What?', 'root ::= "x"', most, 1)
        const { code } = await ask(900_000).catch((error) => error)
        console.log(code, (await ask(9)).text)
        await generator.close()`
      // 12 GB of keys and values, of 6 GB of addresses.
      const command = 'ulimit -v 6000000; exec "$0" --input-type=module -e "$1" "$2"'
      const args = ['-c', command, process.execPath, script, large]
      const { stdout } = await promisify(execFile)('bash', args)
      expect(stdout).toBe('ERR_OUT_OF_MEMORY x\n')
    },
  )

  it('leaves nothing behind', async () => {
    const round = async () => {
      const generator = await loaded({ sequences: 16 })
      // A context of 18 sequences of 2,048 tokens: 28 MB of keys and values, and as much again to compute in.
      await call(generator.ask('Say.', 'What?', 'root ::= "x"{3}', 1_900, 1))
      await generator.close()
    }
    for (let i = 0; i < 3; i++) await round()
    const before = process.memoryUsage.rss()
    for (let i = 0; i < 8; i++) await round()
    expect(process.memoryUsage.rss() - before).toBeLessThan(60 << 20)
  })
})

describe('refused', () => {
  const written = (name: string, template: string | undefined) => {
    const file = at(name)
    writeChatModel(file, {
      ...(template === undefined ? { omit: ['tokenizer.chat_template'] } : {}),
      metadata: { 'tokenizer.chat_template': string(template ?? chatTemplate) },
    })
    return file
  }
  it.each([
    ['an embedding model', () => fixture('embed'), 'ERR_MODEL_MISMATCH', /an embedding model/],
    ['a reranker', () => fixture('rerank'), 'ERR_MODEL_MISMATCH', /a reranker/],
    ['BERT', () => fixture('minilm'), 'ERR_MODEL_UNSUPPORTED', /qwen3, qwen2 or llama.*bert/],
    ['no template', () => written('none.gguf', undefined), 'ERR_MODEL_UNSUPPORTED', /no chat temp/],
    ['an unknown one', () => written('odd.gguf', '{{ x }}'), 'ERR_MODEL_UNSUPPORTED', /not know/],
    ['no file', () => at('missing.gguf'), 'ERR_MODEL_NOT_FOUND', /missing/],
  ])('%s', async (_, file, code, sentence) => {
    await expect(loaded({ path: file() })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(sentence),
    })
  })

  it('a prompt without room, a grammar that is none; neighbours get their answers', async () => {
    const generator = await loaded({ maxTokens: 512 })
    const good = ask(generator, query(1), 1)
    const long = call(generator.ask('Say.', 'word '.repeat(600), 'root ::= "x"', 4, 1))
    await expect(long).rejects.toMatchObject({
      code: 'ERR_TEXT_TOO_LONG',
      facts: { limit: 512, tokens: expect.any(Number) },
    })
    for (const grammar of [
      'root ::= other',
      'root ::= root "x"',
      '',
      'other ::= "x"',
      'root ::=(',
    ]) {
      const refused = call(generator.ask('Say.', 'What?', grammar, 4, 1))
      await expect(refused, grammar).rejects.toMatchObject({ code: 'ERR_COMPUTE' })
    }
    expect(JSON.parse((await good).text)).toHaveProperty('query')
    const next = await call(generator.ask('Say.', 'What?', 'root ::= "x"{3}', 9, 1))
    expect(next.text).toBe('xxx')
    await generator.close()
  })
})

describe('synth', () => {
  const document = (subject: string) => ({
    id: `${subject}.md`,
    text:
      `# All about ${subject}\n\nWhoever asks about ${subject} will find here the things that everybody who ` +
      `keeps or watches ${subject} has to know before the first winter comes, and one more.\n`,
  })
  const documents = ['bees', 'rivers', 'bridges', 'violins', 'comets', 'moths'].map(document)
  const run = (more: Partial<SynthOptions> = {}) =>
    synth({
      documents,
      model: 'mini',
      cacheDir: at('cache'),
      generator: { model: speaking, threads: 1 },
      personas: characters.slice(0, 3),
      ...more,
    })

  it('goes on after a stop, and ends with the same bytes', async () => {
    // So many that some are left when the stop comes, two at a time.
    const many = {
      documents: Array.from({ length: 24 }, (_, i) => document(`bees of kind ${i}`)),
      generator: { model: speaking, threads: 1, sequences: 2 },
    }
    const [straight, broken] = [at('straight.jsonl'), at('broken.jsonl')]
    const { rows, dropped } = await run({ ...many, output: straight })
    expect(rows.length).toBeGreaterThan(0)
    expect(rows.length + Object.values(dropped).reduce((a, b) => a + b)).toBe(48)
    expect(rows[0]!.source).toMatchObject({
      method: 'llm',
      generator: expect.stringMatching(/^[0-9a-f]{32}$/),
    })
    const stop = new AbortController()
    const stopped = run({
      ...many,
      output: broken,
      signal: stop.signal,
      onProgress: ({ phase, done }) => {
        if (phase === 'generate' && done >= 2) stop.abort(new Error('enough'))
      },
    })
    await expect(stopped).rejects.toThrow('enough')
    const lines = readFileSync(`${broken}.partial`, 'utf8').split('\n').length - 2
    expect(lines).toBeGreaterThanOrEqual(2)
    expect(lines).toBeLessThan(24)
    // Fewer neighbours than before: those that are left.
    await run({ ...many, output: broken })
    expect(readFileSync(broken).equals(readFileSync(straight))).toBe(true)
    expect(existsSync(`${broken}.partial`)).toBe(false)
  })

  it('tells the beginning of a passage that is too long, and counts it', async () => {
    const long = { id: 'long.md', text: `# Bees\n\n${'蜜蜂在冬天聚在一起取暖。 '.repeat(40)}` }
    const made = run({
      documents: [...documents, long],
      configuration: 'sampled',
      perPassage: 1,
      generator: { model: speaking, threads: 1, maxTokens: 1_024 },
    })
    expect((await made).shortened).toBe(1)
  })

  it('refuses what does not fit together', async () => {
    const endpoint = { url: 'http://localhost:1', model: 'x' }
    await expect(run({ endpoint })).rejects.toThrow(/none beside the option generator/)
    await expect(run({ method: 'headings' })).rejects.toThrow(/unless queries are made by a model/)
    for (const generator of [
      { model: speaking, sequences: 17 },
      { model: speaking, sequences: 0 },
    ])
      await expect(run({ generator })).rejects.toThrow(/an integer from 1 to 16/)
    await expect(run({ generator: 'mini' })).rejects.toMatchObject({ code: 'ERR_MODEL_MISMATCH' })
  })

  it('from the command line', async () => {
    mkdirSync(at('docs'))
    for (const { id, text } of documents) writeFileSync(join(at('docs'), id), text)
    const output = at('command.jsonl')
    const main = join(root, 'dist/cli/main.js')
    const words = ['synth', at('docs'), '-o', output, '-m', 'mini', '--threads', '1']
    const more = ['--generator', speaking, '--per-passage', '4', '--cache-dir', at('cache')]
    const { stderr } = await promisify(execFile)(process.execPath, [main, ...words, ...more])
    expect(stderr).toMatch(/\d+ rows of 6 documents/)
    expect(readFileSync(output, 'utf8')).toContain('"method":"llm"')
    const alone = promisify(execFile)(process.execPath, [main, ...words, '--concurrency', '4'])
    await expect(alone).rejects.toThrow(/--concurrency takes a --generator too/)
  })
})
