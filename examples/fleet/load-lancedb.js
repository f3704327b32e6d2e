// A finished job into one LanceDB table. One writer: many at a time collide.
//
//   node load-lancedb.js JOB DATABASE TABLE
import { connect } from '@lancedb/lancedb'
import { Field, FixedSizeList, Float32, Int32, Schema, Utf8 } from 'apache-arrow'
import { readJob, readRows } from 'qwen3-embed/fleet'

const [out, database, name] = process.argv.slice(2)
const { job } = await readJob(out)
const value = new Field('item', new Float32(), true)
const schema = new Schema([
  new Field('id', new Utf8()),
  new Field('vector', new FixedSizeList(job.dimensions, value)),
  new Field('tokens', new Int32()),
])
const connection = await connect(database)
const table = await connection.createEmptyTable(name, schema, { mode: 'overwrite' })
for await (const { shard, rows } of readRows(out)) {
  const whole = rows.filter(({ vector }) => vector !== null)
  const records = whole.map(({ id, vector, tokens }) => ({
    id: `${id}`,
    vector: Array.from(vector),
    tokens,
  }))
  if (records.length > 0) await table.add(records)
  console.log(shard, records.length)
}
console.log(await table.countRows(), 'rows')
await connection.close()
