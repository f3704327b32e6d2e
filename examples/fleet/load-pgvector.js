// A finished job into PostgreSQL with pgvector. Shards that are in already are passed over: it goes on after a break.
//
//   DATABASE_URL=postgres://… node load-pgvector.js JOB TABLE        (npm install pg)
import { readJob, readRows } from 'qwen3-embed/fleet'

/** @param client anything with `query(text, values)` that resolves to `{ rows }`, as `pg` has it */
export async function loadInto(client, out, table) {
  const { job, name } = await readJob(out)
  await client.query('CREATE EXTENSION IF NOT EXISTS vector')
  await client.query(
    `CREATE TABLE IF NOT EXISTS ${table} (id text PRIMARY KEY, embedding vector(${job.dimensions}), tokens int)`,
  )
  await client.query(
    'CREATE TABLE IF NOT EXISTS loaded_shards (job text, shard text, PRIMARY KEY (job, shard))',
  )
  const { rows: loaded } = await client.query('SELECT shard FROM loaded_shards WHERE job = $1', [
    name,
  ])
  const isLoaded = new Set(loaded.map(({ shard }) => shard))
  for await (const { shard, rows } of readRows(out)) {
    if (isLoaded.has(shard)) continue
    const whole = rows.filter(({ vector }) => vector !== null)
    await client.query('BEGIN')
    await client.query(
      `INSERT INTO ${table} SELECT u.id, u.embedding::vector, u.tokens FROM unnest($1::text[], $2::text[], $3::int[]) AS u (id, embedding, tokens) ON CONFLICT (id) DO UPDATE SET embedding = excluded.embedding`,
      [
        whole.map(({ id }) => `${id}`),
        whole.map(({ vector }) => `[${vector.join(',')}]`),
        whole.map(({ tokens }) => tokens),
      ],
    )
    await client.query('INSERT INTO loaded_shards VALUES ($1, $2)', [name, shard])
    await client.query('COMMIT')
  }
}

if (process.env.DATABASE_URL) {
  const { default: pg } = await import('pg')
  const client = new pg.Client(process.env.DATABASE_URL)
  await client.connect()
  await loadInto(client, process.argv[2], process.argv[3])
  await client.end()
}
