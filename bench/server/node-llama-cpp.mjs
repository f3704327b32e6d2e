// node-llama-cpp behind the thinnest server that gives the same answer: no checks, no limits, no log.
import { createServer } from 'node:http'
import { getLlama } from 'node-llama-cpp'

const [path, threads] = process.argv.slice(2)
const llama = await getLlama({
  gpu: false,
  build: 'never',
  maxThreads: Number(threads),
  logLevel: 'error',
})
const model = await llama.loadModel({ modelPath: path })
const context = await model.createEmbeddingContext({ contextSize: 512, threads: Number(threads) })

const server = createServer(async (request, response) => {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  const { input } = JSON.parse(Buffer.concat(chunks))
  const texts = Array.isArray(input) ? input : [input]
  const found = await Promise.all(texts.map((text) => context.getEmbeddingFor(text)))
  const data = found.map(({ vector }, index) => ({ object: 'embedding', index, embedding: vector }))
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ object: 'list', data, model: 'model', usage: {} }))
})
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))
