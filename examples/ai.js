// node examples/ai.js [a Qwen3-Reranker GGUF]
import { cosineSimilarity, embed, embedMany, rerank } from 'ai'
import { qwen3 } from 'qwen3-embed/ai'

const values = [
  'You can return the product within thirty days for a refund.',
  'Our flight was cancelled because of the storm.',
  'Berlin is the capital of Germany.',
]
const question = 'how do I get my money back'

const model = qwen3.embeddingModel('mini')
const { embeddings, usage } = await embedMany({ model, values })
const { embedding } = await embed({
  model,
  value: question,
  providerOptions: { qwen3: { inputType: 'query' } },
})
for (const [i, value] of values.entries()) {
  console.log(cosineSimilarity(embedding, embeddings[i]).toFixed(3), value)
}
console.log(`${usage.tokens} tokens`)

if (process.argv[2]) {
  const { ranking } = await rerank({
    model: qwen3.rerankingModel(process.argv[2]),
    query: question,
    documents: values,
    topN: 2,
  })
  for (const { score, document } of ranking) console.log('reranked', score.toFixed(3), document)
}
