// node examples/lancedb.js [a Qwen3-Reranker GGUF]
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, Index } from '@lancedb/lancedb'
import { getRegistry, LanceSchema } from '@lancedb/lancedb/embedding'
import { Utf8 } from 'apache-arrow'
import { Qwen3Reranker } from 'qwen3-embed/lancedb' // registers 'qwen3'

const folder = await mkdtemp(join(tmpdir(), 'qwen3-embed-lancedb-'))
const question = 'how do I get my money back'

const qwen3 = await getRegistry().get('qwen3').create({ model: 'mini' })
const schema = LanceSchema({ text: qwen3.sourceField(new Utf8()), vector: qwen3.vectorField() })
const db = await connect(folder)
const table = await db.createEmptyTable('texts', schema)
await table.add([
  { text: 'You can return the product within thirty days for a refund.' },
  { text: 'Our flight was cancelled because of the storm.' },
  { text: 'The bank lends money to small shops.' },
])

// Rows were embedded as they are; the question goes with its instruction.
for (const { _distance, text } of await table.search(question).distanceType('cosine').toArray()) {
  console.log((1 - _distance).toFixed(3), text)
}

if (process.argv[2]) {
  await table.createIndex('text', { config: Index.fts() })
  const rows = await table
    .query()
    .fullTextSearch(question)
    .nearestTo(await qwen3.computeQueryEmbeddings(question))
    .rerank(new Qwen3Reranker(process.argv[2]))
    .limit(2)
    .toArray()
  for (const row of rows) console.log('reranked', row._relevance_score.toFixed(3), row.text)
}

await rm(folder, { recursive: true })
