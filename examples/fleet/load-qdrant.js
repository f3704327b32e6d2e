// A finished job into a Qdrant collection. An id of ours is any string; Qdrant's are numbers or UUIDs, so a UUID is made of it
// and the id goes into the payload. Loading again changes nothing.
//
//   QDRANT_URL=http://127.0.0.1:6333 node load-qdrant.js JOB COLLECTION        (npm install @qdrant/js-client-rest)
import { createHash } from 'node:crypto'
import { QdrantClient } from '@qdrant/js-client-rest'
import { readJob, readRows } from 'qwen3-embed/fleet'

const [out, collection] = process.argv.slice(2)
const url = process.env.QDRANT_URL ?? 'http://127.0.0.1:6333'
const client = new QdrantClient({
  url,
  apiKey: process.env.QDRANT_API_KEY,
  checkCompatibility: false,
})
const { job } = await readJob(out)
if (!(await client.collectionExists(collection)).exists)
  await client.createCollection(collection, {
    vectors: { size: job.dimensions, distance: 'Cosine' },
  })

function uuid(id) {
  const hex = createHash('sha256').update(`${id}`).digest('hex')
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `5${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-')
}

const atOnce = 256
for await (const { shard, rows } of readRows(out)) {
  const points = rows
    .filter(({ vector }) => vector !== null)
    .map(({ id, vector, tokens }) => ({
      id: uuid(id),
      vector: Array.from(vector),
      payload: { id, tokens },
    }))
  for (let from = 0; from < points.length; from += atOnce)
    await client.upsert(collection, { points: points.slice(from, from + atOnce), wait: true })
  console.log(shard, points.length)
}
