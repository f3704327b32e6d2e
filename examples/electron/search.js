// The utility process: it holds the model and answers messages.
import { Embedder, similarity } from 'qwen3-embed'

const loading = Embedder.load('mini')

const answers = {
  async search(query, texts) {
    const embedder = await loading
    const question = await embedder.embedQuery(query)
    const vectors = await embedder.embedDocuments(texts)
    return texts
      .map((text, i) => ({ text, score: similarity(question, vectors[i]) }))
      .sort((a, b) => b.score - a.score)
  },

  async vectors(texts) {
    const vectors = await (await loading).embedDocuments(texts)
    // They are views into one buffer, which would be copied with each.
    return vectors.map((vector) => vector.slice())
  },
}

process.parentPort.on('message', async ({ data: { id, name, words } }) => {
  try {
    process.parentPort.postMessage({ id, result: await answers[name](...words) })
  } catch (error) {
    process.parentPort.postMessage({ id, error: error.message })
  }
})
