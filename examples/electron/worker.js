// A utility process of the app's own, where there is other work for it: it is isolated already, and loads as it likes.
import { Embedder } from 'qwen3-embed'

const loading = Embedder.load('mini', { isolation: 'process' }) // changes nothing here

process.parentPort.on('message', async ({ data: texts }) => {
  const vectors = await (await loading).embedDocuments(texts)
  // They are views into one buffer, which would be copied with each.
  process.parentPort.postMessage(vectors.map((vector) => vector.slice()))
})
