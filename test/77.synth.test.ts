import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { synth, type SynthOptions } from '../dist/synth/index.js'
import { isQuery } from '../lib/synth/llm/form.ts'
import { passagesOf } from '../lib/synth/llm/passages.ts'

const folder = mkdtempSync(join(tmpdir(), 'synth-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string) => join(folder, name)

const subjects = ['bees', 'rivers', 'bridges', 'violins', 'volcanoes', 'bread', 'comets', 'moths']
const documents = subjects.map((subject, i) => ({
  id: `${subject}.md`,
  text:
    `# All about ${subject}\n\nWhoever asks about ${subject} will find here the ${i + 3} things that everybody who ` +
    `keeps or watches ${subject} has to know before the first winter comes, and one more.\n`,
}))

interface Asked {
  model: string
  seed: number
  messages: { content: string }[]
  response_format: { json_schema: { name: string; schema: { properties: object } } }
}
type Reply = { status?: number; headers?: Record<string, string>; content: string | null }

// An endpoint that speaks the wire format of chat completions. What it answers depends on the call alone, as a real
// one's does with a seed; `faults` are answered first.
let server: Server | undefined
const calls: Asked[] = []
let authorization: string | undefined
const faults: (Reply | 'hang up')[] = []
let answer: (asked: Asked) => Reply = sensible

function sensible({ messages, seed, response_format: { json_schema } }: Asked): Reply {
  const subject = /about (\w+)/.exec(messages[1]!.content)![1]!
  const { character } = json_schema.schema.properties as { character?: { enum: string[] } }
  const content = character
    ? { character: character.enum[seed % 5], question_type: 'keywords', difficulty: 'university' }
    : { query: `what to know of ${subject} number ${seed}` }
  return { content: JSON.stringify(content) }
}

async function serve(): Promise<string> {
  const made = createServer(async (request, response) => {
    const asked = JSON.parse(await read(request)) as Asked
    calls.push(asked)
    authorization = request.headers.authorization
    const fault = faults.shift()
    if (fault === 'hang up') return void request.socket.destroy()
    const { status = 200, headers = {}, content } = fault ?? answer(asked)
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(
      status === 200
        ? JSON.stringify({
            object: 'chat.completion',
            choices: [{ index: 0, message: { role: 'assistant', content } }],
          })
        : JSON.stringify({ error: { message: content } }),
    )
  })
  server = made
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(made.address() as AddressInfo).port}/v1`
}

async function read(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of request) body += chunk
  return body
}

afterEach(async () => {
  server?.closeAllConnections()
  await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()))
  server = undefined
  calls.length = 0
  faults.length = 0
  answer = sensible
})

const run = (url: string, more: Partial<SynthOptions> = {}, endpoint: object = {}) =>
  synth({
    documents,
    model: 'mini',
    cacheDir: at('cache'),
    endpoint: { url, model: 'a-chat-model', waitMs: 1, ...endpoint },
    ...more,
  })

describe('a language model behind an endpoint', () => {
  it('asks for each passage, as somebody who is near to it, and each row says how', async () => {
    const url = await serve()
    const { rows, dropped } = await run(url, { instruction: 'Find a page' }, { apiKey: 'secret' })
    expect(rows.length + dropped.near).toBe(16)
    expect(authorization).toBe('Bearer secret')
    const [row] = rows
    expect(row).toMatchObject({
      query: expect.stringMatching(/^what to know of bees number \d+$/),
      positive: expect.stringContaining('All about bees'),
      positive_id: 'bees.md#1',
      source: {
        ...{ method: 'llm', document: 'bees.md', generator: 'a-chat-model', prompts: 1 },
        ...{ type: 'keywords', difficulty: 'university', language: null },
        cosine: expect.any(Number),
      },
    })
    const offered = calls.find(({ messages }) => messages[1]!.content.includes('about comets'))!
    const { character } = offered.response_format.json_schema.schema.properties as {
      character: { enum: string[] }
    }
    expect(character.enum.length).toBe(5)
    expect(calls.every(({ seed }) => Number.isInteger(seed) && seed >= 0 && seed < 2 ** 31)).toBe(
      true,
    )
  })

  it('gives the same rows one call at a time or eight, and others for another seed', async () => {
    const url = await serve()
    const { rows } = await run(url)
    expect((await run(url, {}, { concurrency: 1 })).rows).toEqual(rows)
    expect((await run(url, { seed: 2 })).rows).not.toEqual(rows)
  })

  it('needs half the calls where type and difficulty are drawn', async () => {
    const url = await serve()
    await run(url)
    expect(calls.length).toBe(32)
    calls.length = 0
    const { rows } = await run(url, { configuration: 'sampled', language: 'German' })
    expect(calls.length).toBe(16)
    expect(rows[0]!.source).toMatchObject({ language: 'German' })
    expect(new Set(rows.map(({ source }) => source.type)).size).toBeGreaterThan(1)
  })

  it('is asked again after what passes, and after an answer without the form', async () => {
    const url = await serve()
    const { rows } = await run(url)
    calls.length = 0
    faults.push({ status: 429, headers: { 'retry-after': '0.01' }, content: 'slow down' })
    faults.push({ status: 503, content: 'loading' }, 'hang up')
    const again = await run(url, {}, { concurrency: 1 })
    expect(again.rows).toEqual(rows)
    expect(calls.length).toBe(35)
    calls.length = 0
    faults.push({ content: 'Sure! Here is your JSON.' })
    const other = await run(url, {}, { concurrency: 1 })
    expect(calls.length).toBe(33)
    expect(calls[0]!.seed).not.toBe(calls[1]!.seed)
    expect(other.rows.length).toBe(rows.length)
  })

  it('reads an answer out of fences, and counts what is no query', async () => {
    const url = await serve()
    answer = (asked) => {
      const { content } = sensible(asked)
      if (!asked.messages[1]!.content.includes('about bread'))
        return { content: `\`\`\`json\n${content}\n\`\`\`` }
      return {
        content: asked.response_format.json_schema.name === 'query' ? '{"query":"??"}' : content,
      }
    }
    const { rows, dropped } = await run(url)
    expect(dropped.form).toBe(2)
    expect(rows.some(({ positive }) => positive.includes('bread'))).toBe(false)
    answer = () => ({ content: null })
    await expect(run(url)).rejects.toMatchObject({ code: 'ERR_DATASET', facts: { passages: 8 } })
  })
})

describe('a job that ends early', () => {
  it('goes on with what was made, and ends with the same bytes', async () => {
    const url = await serve()
    const [straight, broken] = [at('straight.jsonl'), at('broken.jsonl')]
    await run(url, { output: straight })
    let left = 9
    answer = (asked) => (left-- > 0 ? sensible(asked) : { status: 500, content: 'out of memory' })
    const options = { retries: 1, concurrency: 2 }
    await expect(run(url, { output: broken }, options)).rejects.toMatchObject({
      code: 'ERR_ENDPOINT',
      problem: expect.stringContaining('2 tries: status 500'),
    })
    expect(existsSync(`${broken}.partial`)).toBe(true)
    // As a kill leaves it: half a line at the end.
    writeFileSync(
      `${broken}.partial`,
      `${readFileSync(`${broken}.partial`, 'utf8')}{"passage":"bre`,
    )
    answer = sensible
    calls.length = 0
    await run(url, { output: broken })
    expect(calls.length).toBeLessThan(32)
    expect(readFileSync(broken).equals(readFileSync(straight))).toBe(true)
    expect(existsSync(`${broken}.partial`)).toBe(false)
  })

  it('is not taken for another one', async () => {
    const url = await serve()
    const output = at('other.jsonl')
    answer = () => ({ status: 400, content: 'no such model' })
    await expect(run(url, { output })).rejects.toMatchObject({
      code: 'ERR_ENDPOINT',
      problem: expect.stringContaining('status 400: {"error":{"message":"no such model"}}'),
    })
    await expect(run(url, { output, seed: 2 })).rejects.toMatchObject({ code: 'ERR_MODEL_CHANGED' })
  })

  it('ends with the reason of its signal', async () => {
    const url = await serve()
    const controller = new AbortController()
    answer = (asked) => {
      if (calls.length === 5) controller.abort(new Error('enough'))
      return sensible(asked)
    }
    await expect(run(url, { signal: controller.signal })).rejects.toThrow('enough')
  })
})

describe('refused', () => {
  it.each([
    [{ status: 401, content: 'who are you' }, 'ERR_UNAUTHORIZED'],
    [{ status: 404, content: 'nothing here' }, 'ERR_ENDPOINT'],
  ])('%j', async (reply, code) => {
    const url = await serve()
    answer = () => reply
    await expect(run(url)).rejects.toMatchObject({ code })
    expect(calls.length).toBeLessThanOrEqual(8)
  })

  it.each([
    [
      { endpoint: { url: 'localhost:80', model: 'x' } },
      /an http address for the option endpoint.url/,
    ],
    [{ endpoint: { url: 'http://localhost:1' } }, /an address and a model/],
    [{ method: 'llm', endpoint: undefined }, /an address and a model/],
    [{ endpoint: undefined, language: 'German' }, /unless queries are made by a model/],
    [{ configuration: 'guessed' }, /'asked' or 'sampled'/],
    [{ method: 'magic' }, /'headings', 'links', 'docstrings', 'llm'/],
  ])('%j', async (more, sentence) => {
    await expect(run('http://127.0.0.1:9', more as Partial<SynthOptions>)).rejects.toThrow(sentence)
  })
})

it('a query has a form', () => {
  const passage =
    'Bees keep warm in winter by sitting close together and shivering with their muscles all day long.'
  const prompt =
    'You write what a person types into a search box to find a passage that they do not know yet.'
  const good = [
    'how do bees keep warm',
    'bee winter cluster',
    'Wie überwintern Bienen?',
    '蜜蜂 如何 过冬',
  ]
  for (const query of good) expect(isQuery(query, passage, prompt), query).toBe(true)
  const bad = [
    'bees',
    'a '.repeat(41),
    '{"query": "bees in winter"}',
    '12 34 56 78',
    '**bees** in winter',
  ]
  const copied = [passage, 'what a person types into a search box']
  for (const query of [...bad, ...copied])
    expect(isQuery(query, passage, prompt), query).toBe(false)
})

it('passages are sections in pieces of about 400 tokens', () => {
  const paragraph = `${'some words that go on '.repeat(30).trim()}.`
  const pieces = passagesOf({
    id: 'a',
    text: `# One\n\n${Array(5).fill(paragraph).join('\n\n')}\n\n# Two\n\nshort\n`,
  })
  expect(pieces.map(({ id }) => id)).toEqual(['a#1', 'a#1.1', 'a#1.2'])
  for (const { text } of pieces) expect(text.length).toBeLessThanOrEqual(1_600)
  expect(passagesOf({ id: 'b', text: 'word '.repeat(30) })).toMatchObject([{ id: 'b#1' }])
  expect(passagesOf({ id: 'c', text: 'x'.repeat(5_000) })).toEqual([])
})
