import { execFile } from 'node:child_process'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { ChromaClient, getEmbeddingFunction } from 'chromadb'
import { Embedder } from 'qwen3-embed'
import { closeModels, Qwen3EmbeddingFunction } from 'qwen3-embed/chroma'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { documents } from './fixtures/sentences.ts'

// Chroma's own server needs a newer C library than some machines have, so its client talks to the few routes below,
// which keep what they get; CHROMA_PORT names a real one instead.
interface Collection {
  id: string
  name: string
  configuration_json: object
  rows: { id: string; document: string; embedding: number[] }[]
}

const collections: Collection[] = []
const server = createServer(async (request, response) => {
  const body = await bodyOf(request)
  const path = request.url!.split('/').slice(3)
  const [name, verb] = path.slice(path.indexOf('collections') + 1)
  const collection = collections.find((one) => one.id === name || one.name === name)
  const send = (value: unknown) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(value))
  }
  if (path.length === 1) return send(path[0] === 'version' ? '1.0.0' : { max_batch_size: 1_000 })
  if (verb === 'add' || verb === 'upsert') {
    for (const [i, id] of body.ids.entries()) {
      collection!.rows.push({
        id,
        document: body.documents[i],
        embedding: floats(body.embeddings[i]),
      })
    }
    return send({})
  }
  if (verb === 'query') {
    const [query] = body.query_embeddings
    const far = (row: Collection['rows'][number]) => 1 - dot(floats(query), row.embedding)
    const rows = [...collection!.rows].sort((a, b) => far(a) - far(b)).slice(0, body.n_results)
    return send({
      ids: [rows.map(({ id }) => id)],
      documents: [rows.map(({ document }) => document)],
      distances: [rows.map(far)],
      include: body.include,
    })
  }
  if (request.method === 'GET') return send(collection)
  const made = { id: `id-of-${body.name}`, name: body.name, rows: [] }
  collections.push({ ...made, configuration_json: body.configuration })
  send({ ...made, configuration_json: body.configuration, tenant: 't', database: 'd' })
})

async function bodyOf(request: IncomingMessage) {
  let text = ''
  for await (const chunk of request) text += chunk
  return text === '' ? undefined : JSON.parse(text)
}

// The client may send its vectors as base64 of their bytes.
const floats = (vector: number[] | string) =>
  typeof vector === 'string'
    ? [...new Float32Array(Uint8Array.from(Buffer.from(vector, 'base64')).buffer)]
    : vector
const dot = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0)

let embedder: Embedder
let port = Number(process.env.CHROMA_PORT)
beforeAll(async () => {
  embedder = await Embedder.load('mini')
  if (port) return
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})
afterAll(async () => {
  server.close()
  await Promise.all([embedder.close(), closeModels()])
})

describe('a collection', () => {
  it('embeds documents as they are and questions with their instruction', async () => {
    const client = new ChromaClient({ host: 'localhost', port })
    const name = `qwen3-${Date.now()}`
    const embeddingFunction = new Qwen3EmbeddingFunction({ model: 'mini', dimensions: 128 })
    const made = await client.createCollection({ name, embeddingFunction })
    await made.add({ ids: documents.map((_, i) => `${i}`), documents })

    // From the configuration that Chroma kept, in this process or another.
    const collection = await client.getCollection({ name })
    const found = await collection.query({ queryTexts: ['German capital'], nResults: 2 })
    expect(found.documents[0]![0]).toBe('Berlin is the capital of Germany.')
    const options = { dimensions: 128 }
    const query = await embedder.embedQuery('German capital', options)
    const [best] = await embedder.embedDocuments([found.documents[0]![0]!], options)
    expect(found.distances[0]![0]).toBeCloseTo(1 - dot([...query], [...best!]), 4)
  })

  it('refuses another file behind the name', async () => {
    const client = new ChromaClient({ host: 'localhost', port })
    const name = `qwen3-pinned-${Date.now()}`
    const embeddingFunction = await Qwen3EmbeddingFunction.load({ model: 'mini' })
    const made = await client.createCollection({ name, embeddingFunction })
    await made.add({ ids: ['1'], documents: ['a text'] })
    const { fingerprint } = embedder.info
    expect(embeddingFunction.getConfig()).toEqual({ model: 'mini', fingerprint })

    const another = new Qwen3EmbeddingFunction({ model: 'mini', fingerprint: 'another' })
    await expect(another.generate(['a text'])).rejects.toThrow(`(another, not ${fingerprint})`)
    await expect(another.generateForQueries(['a text'])).rejects.toThrow('do not compare')
    expect(() => another.validateConfigUpdate({ fingerprint })).toThrow('cannot change')
  })

  it('keeps its model', async () => {
    const options = { model: 'mini', dimensions: 64, instruction: 'Find the country' }
    const config = { type: 'known', name: 'qwen3', config: options }
    const made = await getEmbeddingFunction({ collectionName: 'c', efConfig: config } as never)
    expect(made).toBeInstanceOf(Qwen3EmbeddingFunction)
    const { model: _, ...own } = options
    expect(await (made as Qwen3EmbeddingFunction).generateForQueries(['Germany'])).toEqual([
      [...(await embedder.embedQuery('Germany', own))],
    ])
    const qwen3 = new Qwen3EmbeddingFunction(options)
    expect(qwen3.defaultSpace()).toBe('cosine')
    expect(() => qwen3.validateConfigUpdate({ model: 'another' })).toThrow('cannot change')
    expect(() => qwen3.validateConfigUpdate({ ...options, instruction: 'x' })).not.toThrow()
    expect(() => qwen3.validateConfigUpdate({ ...options, fingerprint: 'x' })).not.toThrow()
    expect(() => new Qwen3EmbeddingFunction({} as never)).toThrow('Expected { model }')
  })
})

it('has an example that runs', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['examples/chroma.js'], {
    env: { ...process.env, CHROMA_PORT: String(port) },
  })
  expect(stdout).toMatch(/^0\.4\d\d You can return/)
})
