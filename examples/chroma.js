// npx chroma run & node examples/chroma.js   (CHROMA_PORT, if it is not 8000)
import { ChromaClient } from 'chromadb'
import { Qwen3EmbeddingFunction } from 'qwen3-embed/chroma'

const client = new ChromaClient({
  host: 'localhost',
  port: Number(process.env.CHROMA_PORT ?? 8000),
})
const collection = await client.getOrCreateCollection({
  name: 'qwen3-embed-example',
  embeddingFunction: await Qwen3EmbeddingFunction.load({ model: 'mini' }),
})
await collection.upsert({
  ids: ['refund', 'flight', 'capital'],
  documents: [
    'You can return the product within thirty days for a refund.',
    'Our flight was cancelled because of the storm.',
    'Berlin is the capital of Germany.',
  ],
})

const { documents, distances } = await collection.query({
  queryTexts: ['how do I get my money back'],
  nResults: 3,
})
for (const [i, document] of documents[0].entries()) {
  console.log((1 - distances[0][i]).toFixed(3), document)
}
