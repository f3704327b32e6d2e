// node examples/mastra.js [a Qwen3-Reranker GGUF]
import { embedV3 } from '@mastra/core/vector'
import { rerankWithScorer } from '@mastra/rag'
import { similarity } from 'qwen3-embed'
import { Qwen3RelevanceScorer, qwen3 } from 'qwen3-embed/mastra'

const texts = [
  'You can return the product within thirty days for a refund.',
  'Our flight was cancelled because of the storm.',
  'Berlin is the capital of Germany.',
]
const query = 'how do I get my money back'

// Mastra passes no options along, so there is a model for each side; they share one in memory.
const documents = qwen3.embeddingModel('mini')
const queries = qwen3.embeddingModel('mini', { inputType: 'query' })

const { embedding: question } = await embedV3({ model: queries, value: query })
const results = []
for (const [i, text] of texts.entries()) {
  const { embedding } = await embedV3({ model: documents, value: text })
  const score = similarity(Float32Array.from(question), Float32Array.from(embedding))
  results.push({ id: String(i), score, metadata: { text } })
}
for (const { score, metadata } of results) console.log(score.toFixed(3), metadata.text)

if (process.argv[2]) {
  const ranked = await rerankWithScorer({
    results,
    query,
    scorer: new Qwen3RelevanceScorer(process.argv[2]),
    options: { topK: 2 },
  })
  for (const { score, result } of ranked) {
    console.log('reranked', score.toFixed(3), result.metadata.text)
  }
}
