// Judged collections in BEIR's layout, and the folders of files that they become.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

/** Documents, the names of their files by id, questions, and what answers them. */
export function read(folder) {
  const packed = join(folder, 'corpus.jsonl.gz')
  const corpus = existsSync(packed)
    ? gunzipSync(readFileSync(packed)).toString()
    : readFileSync(join(folder, 'corpus.jsonl'), 'utf8')
  const lines = (text) =>
    text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => JSON.parse(line))
  const qrels = new Map()
  for (const line of readFileSync(join(folder, 'qrels/test.tsv'), 'utf8').split('\n').slice(1)) {
    const [query, document, grade] = line.split('\t')
    if (grade === undefined) continue
    if (!qrels.has(query)) qrels.set(query, new Map())
    qrels.get(query).set(document, Number(grade))
  }
  const documents = lines(corpus)
  const ids = new Map(documents.map((one, i) => [nameOf(i), `${one._id}`]))
  const queries = lines(readFileSync(join(folder, 'queries.jsonl'), 'utf8')).map((one) => [
    `${one._id}`,
    one.text,
  ])
  return { documents, ids, queries, qrels }
}

function nameOf(i) {
  return `${i}.md`
}

/** Documents as Markdown files. */
export function write(folder, documents) {
  if (existsSync(folder)) return
  mkdirSync(folder, { recursive: true })
  for (const [i, { title, text }] of documents.entries())
    writeFileSync(join(folder, nameOf(i)), title ? `# ${title}\n\n${text}` : text)
}
