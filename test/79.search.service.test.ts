import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { Embedder } from 'qwen3-embed'
import { Index } from 'qwen3-embed/search'
import { type RunningServer, serve } from 'qwen3-embed/server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const base = realpathSync(mkdtempSync(join(tmpdir(), 'search-service-')))
const folder = join(base, 'notes')
const path = join(base, 'notes.index')
let embedder: Embedder
let index: Index
let server: RunningServer

beforeAll(async () => {
  mkdirSync(folder)
  writeFileSync(
    join(folder, 'boiler.md'),
    '# Heating\n\nThe boiler loses pressure.\n\n## Repair\n\nBleed the radiators.\n',
  )
  writeFileSync(
    join(folder, 'long.txt'),
    Array.from(
      { length: 60 },
      (_, i) => `Paragraph ${i} of the chronicle. ${'It rained again. '.repeat(30)}`,
    ).join('\n\n'),
  )
  writeFileSync(join(folder, 'noise.bin'), Buffer.from([0]))
  embedder = await Embedder.load('mini')
  index = await Index.open(path, { embedder, standIn: null })
  await index.addRoot(folder)
  await index.update()
  server = await serve({ models: { mini: embedder }, index, port: 0, log: undefined })
})
afterAll(async () => {
  await server.close()
  await index.close()
  await embedder.close()
  rmSync(base, { recursive: true, force: true })
})

interface Said {
  hits: { id: string; name: string }[]
  error: { message: string }
  paths: Record<string, object>
  updated: object | null
  updating: object | null
}

async function ask(path: string, body?: object) {
  const response = await fetch(server.url + path, {
    method: body ? 'POST' : 'GET',
    headers: { 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })
  return { status: response.status, answer: (await response.json()) as Said }
}

describe('a server with an index', () => {
  it('counts searches, and says how large the index is', async () => {
    await ask('/v1/search', { query: 'who repairs the heating' })
    const text = await (await fetch(`${server.url}/metrics`)).text()
    expect(text).toMatch(/^qwen3_embed_search_seconds_count\{stage="search"\} [1-9]/m)
    const { files, passages } = await index.status()
    expect(text).toContain(`\nqwen3_embed_index_files ${files}\n`)
    expect(text).toContain(`\nqwen3_embed_index_passages ${passages}\n`)
    expect(text).toContain('\nqwen3_embed_index_pending 0\n')
    expect(text).not.toContain('heating')
  })

  it('answers questions about files, and tells no path of this machine', async () => {
    const { status, answer } = await ask('/v1/search', {
      query: 'who repairs the heating',
      limit: 3,
      types: ['markdown'],
    })
    expect(status).toBe(200)
    expect(answer.hits[0]).toMatchObject({
      name: 'boiler.md',
      kind: 'markdown',
      head: 'Heating > Repair',
      also: [],
    })
    expect(JSON.stringify(answer)).not.toContain(base)
    const passage = await ask(`/v1/passages/${answer.hits[0]!.id}?around=500`)
    expect(passage.answer).toMatchObject({ name: 'boiler.md', lines: [1, 7] })
    expect(JSON.stringify([passage.answer, (await ask('/v1/index')).answer])).not.toContain(base)
  })

  it.each([
    ['/v1/search', {}, 400, /field query/],
    ['/v1/search', { query: ' ' }, 400, /question/],
    ['/v1/search', { query: 'x', types: ['music'] }, 400, /one of/],
    ['/v1/search', { query: 'x', tpyes: ['pdf'] }, 400, /Did you mean types/],
    ['/v1/search', { query: 'x', since: 'then' }, 400, /date/],
    ['/v1/search', { query: 'x', rerank: true }, 400, /reranker/],
    ['/v1/passages/1-00000000', undefined, 404, /search again/],
    ['/v1/passages/x', undefined, 404, /no passage/],
    ['/v1/passages/1-0?around=-1', undefined, 400, /around/],
  ])('refuses %s %j in words', async (path, body, status, why) => {
    const found = await ask(path, body)
    expect(found.status).toBe(status)
    expect(found.answer.error.message).toMatch(why)
  })

  it('tells what is in it, and brings it up to date', async () => {
    const { answer } = await ask('/v1/index')
    expect(answer).toMatchObject({
      ...{ files: 2, unread_files: 1, coverage: 1, updating: null, problem: '' },
      unread: [{ name: 'noise.bin', state: 'skipped', why: 'not a kind of file that holds text' }],
      folders: [{ name: 'notes', files: 3 }],
    })
    writeFileSync(join(folder, 'new.md'), 'a pomegranate')
    expect((await ask('/v1/index/update', {})).status).toBe(200)
    let state: Said
    do state = (await ask('/v1/index')).answer
    while (!state.updated || state.updating)
    expect(state.updated).toMatchObject({ read: 1 })
    expect(
      (await ask('/v1/search', { query: 'pomegranate', by: 'words' })).answer.hits[0]!.name,
    ).toBe('new.md')
  })

  it('describes all of it, and shows a page for it', async () => {
    const { answer } = await ask('/openapi.json')
    for (const route of ['/v1/search', '/v1/passages/{id}', '/v1/index', '/v1/index/update'])
      expect(answer.paths[route]).toBeDefined()
    expect(await (await fetch(server.url)).text()).toContain('id="files"')
  })
})

describe('an agent', () => {
  const command = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [command, 'mcp', '--quiet', '--index', path],
    stderr: 'ignore',
  })
  const client = new Client({ name: 'test', version: '1.0.0' })
  const call = async (name: string, given: Record<string, unknown>) => {
    const { content, isError } = await client.callTool({ name, arguments: given })
    return { text: (content as { text: string }[])[0]!.text, isError: isError === true }
  }
  beforeAll(() => client.connect(transport))
  afterAll(() => client.close())

  it('is told what there is', async () => {
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['search_files', 'read_passage', 'list_sources']),
    )
    expect((await call('list_sources', {})).text).toMatch(
      /3 files, .*markdown 2[\s\S]*notes: 4 files/,
    )
  })

  it('finds a passage and reads on', async () => {
    const { text } = await call('search_files', {
      query: 'who repairs the heating',
      top: 2,
      in: ['*.md'],
    })
    expect(text).toContain(`[1] ${folder}/boiler.md:`)
    const [, id] = /id (\S+),/.exec(text)!
    expect((await call('read_passage', { id, around: 500 })).text).toContain(
      'The boiler loses pressure.',
    )
  })

  it('gets no more than it can read, and is told what was cut', async () => {
    const { text } = await call('search_files', {
      query: '"Paragraph 30 of the chronicle"',
      top: 20,
    })
    expect(text.length).toBeLessThanOrEqual(8_100)
    expect(
      (await call('read_passage', { id: /id (\S+),/.exec(text)![1], around: 6_000 })).text,
    ).toMatch(/\(cut here/)
  })

  it('is told when nothing matches, and refused what is misspelt', async () => {
    expect((await call('search_files', { query: '"no such phrase"' })).text).toMatch(
      /^Nothing matches/,
    )
    expect((await call('search_files', { query: 'x', path: 'a' })).isError).toBe(true)
    expect((await call('read_passage', { id: '1-00' })).isError).toBe(true)
  })
})
