// node examples/langchain.js [a Qwen3-Reranker GGUF]
import { Document } from '@langchain/core/documents'
import { cosineSimilarity } from '@langchain/core/utils/math'
import { Qwen3Embeddings, Qwen3Rerank } from 'qwen3-embed/langchain'

const documents = [
  'You can return the product within thirty days for a refund.',
  'Our flight was cancelled because of the storm.',
  'Berlin is the capital of Germany.',
].map((pageContent) => new Document({ pageContent }))
const question = 'how do I get my money back'

// Any vector store of LangChain takes it.
const embeddings = new Qwen3Embeddings({ model: 'mini' })
const vectors = await embeddings.embedDocuments(documents.map(({ pageContent }) => pageContent))
const [scores] = cosineSimilarity([await embeddings.embedQuery(question)], vectors)
for (const [i, { pageContent }] of documents.entries()) {
  console.log(scores[i].toFixed(3), pageContent)
}

if (process.argv[2]) {
  const reranker = new Qwen3Rerank({ model: process.argv[2], topN: 2 })
  for (const { metadata, pageContent } of await reranker.compressDocuments(documents, question)) {
    console.log('reranked', metadata.relevanceScore.toFixed(3), pageContent)
  }
}
