// Whether an index is whole; what it says in all, for comparing two; a copy of it; its way out.
import { createHash } from 'node:crypto'
import { anyOf } from '../words/query.ts'
import { termsOf } from '../words/terms.ts'
import { inputOf, type Store, textOf } from './store.ts'

/** Something that should not be, in a sentence. */
export type Finding = string

/** Files whose passages are compared with their words. */
const sample = 200

export function check(store: Store): Finding[] {
  const { database } = store
  return store.reading(() => {
    const findings: Finding[] = []
    const [whole] = database.row<[string]>('PRAGMA integrity_check(1)')!
    if (whole !== 'ok') findings.push(`The file is damaged: ${whole}`)
    const count = (what: string, sql: string) => {
      const [n] = database.row<[number]>(sql)!
      if (n > 0) findings.push(`${n} ${what}`)
    }
    count(
      'passages belong to no file',
      'SELECT count(*) FROM chunk WHERE file NOT IN (SELECT id FROM file)',
    )
    count(
      'vectors belong to no file',
      'SELECT count(*) FROM vec WHERE file NOT IN (SELECT id FROM file)',
    )
    count(
      'vectors belong to no model',
      'SELECT count(*) FROM vec WHERE space NOT IN (SELECT id FROM space)',
    )
    count(
      'files belong to no folder',
      'SELECT count(*) FROM file WHERE root NOT IN (SELECT id FROM root)',
    )
    const [words] = database.row<[number]>('SELECT count(*) FROM lex')!
    if (words !== store.memory.chunks)
      findings.push(`There are words of ${words} passages, and ${store.memory.chunks} passages`)
    findings.push(...vectorFindings(store), ...wordFindings(store))
    return findings
  })
}

function vectorFindings({ database, memory }: Store): Finding[] {
  const findings: Finding[] = []
  for (const { id, width, model } of memory.spaces.values()) {
    const rows = database.rows<[number, number, number, number]>(
      'SELECT file, missing, length(codes), length(scales) FROM vec WHERE space = ?',
      id,
    )
    for (const [file, , codes, scales] of rows) {
      const n = memory.files.get(file)?.chunks.length ?? 0
      if (codes !== n * width || scales !== 4 * n)
        findings.push(`A file of ${n} passages has vectors of ${scales / 4} by ${model}`)
    }
  }
  return findings
}

/** A passage is found by its own words. */
function wordFindings({ database, memory }: Store): Finding[] {
  const findings: Finding[] = []
  const files = [...memory.files.values()]
  const step = Math.max(1, Math.floor(files.length / sample))
  for (let i = 0; i < files.length; i += step) {
    const { id, path } = files[i]!
    const [text] = database.row<[Uint8Array]>('SELECT text FROM file WHERE id = ?', id)!
    const whole = textOf(text)
    const [chunk, start, stop] = database.row<[number, number, number]>(
      'SELECT id, start, stop FROM chunk WHERE file = ? ORDER BY start LIMIT 1',
      id,
    )!
    if (start < 0 || stop > whole.length || start >= stop)
      findings.push(`A passage of ${path} lies outside of its text`)
    const expression = anyOf(termsOf(whole.slice(start, stop)).slice(0, 1))
    if (expression === undefined) continue
    const found = database.row<[number]>(
      'SELECT rowid FROM lex WHERE lex MATCH ? AND rowid = ?',
      ...[expression, chunk],
    )
    if (!found) findings.push(`A passage of ${path} is not found by its words`)
  }
  return findings
}

/** Of all documents, passages and vectors, in an order of their own: equal for equal indexes. */
export function digest(store: Store): string {
  const { database } = store
  const hash = createHash('sha256')
  const spaces = database.rows<[number, string]>(
    'SELECT id, fingerprint FROM space ORDER BY fingerprint',
  )
  const files = database.rows<[number, string, string, Uint8Array, string, string, string]>(
    `SELECT file.id, root.path, file.path, hash, kind, title, state FROM file JOIN root ON root.id = file.root
     ORDER BY root.path, file.path`,
  )
  for (const [id, ...facts] of files) {
    hash.update(
      JSON.stringify(facts.map((fact) => (fact instanceof Uint8Array ? hex(fact) : fact))),
    )
    const chunks = database.rows<[number, number, number, number, string, Uint8Array, number]>(
      'SELECT start, stop, line, page, head, hash, words FROM chunk WHERE file = ? ORDER BY start, id',
      id,
    )
    for (const chunk of chunks)
      hash.update(
        JSON.stringify(chunk.map((fact) => (fact instanceof Uint8Array ? hex(fact) : fact))),
      )
    for (const [space, fingerprint] of spaces) {
      const row = database.row<[number, Uint8Array, Uint8Array]>(
        'SELECT missing, codes, scales FROM vec WHERE space = ? AND file = ?',
        ...[space, id],
      )
      hash.update(`${fingerprint} ${row?.[0] ?? -1}`)
      if (row) hash.update(row[1]).update(row[2])
    }
  }
  return hash.digest('hex')
}

/** One file, whole, of one moment; the index may be in use. */
export function backup(store: Store, file: string): void {
  store.database.rows('VACUUM INTO ?', file)
}

export interface ExportedPassage {
  /** `path#start` */
  id: string
  path: string
  title: string
  head: string
  line: number
  page: number
  text: string
  /** What the vector is of. */
  input: string
  /** Of the main model; null where there is none yet. */
  vector: Float32Array | null
  date: number
  kind: string
}

/** The passages of one file, for another engine. */
export function exported(store: Store, file: number, by: number): ExportedPassage[] {
  return store.reading(() => {
    const { database, memory } = store
    const known = memory.files.get(file)
    const space = memory.spaces.get(by)
    const row = database.row<[Uint8Array, string]>(
      `SELECT text, root.path FROM file JOIN root ON root.id = file.root WHERE file.id = ?`,
      file,
    )
    if (!known || !row) return []
    const whole = textOf(row[0])
    const path = row[1] === '' ? known.path : `${row[1]}/${known.path}`
    const chunks = database.rows<[number, number, number, number, number, string]>(
      'SELECT id, start, stop, line, page, head FROM chunk WHERE file = ? ORDER BY start, id',
      file,
    )
    return chunks.map(([id, start, stop, line, page, head]) => {
      const text = whole.slice(start, stop)
      const scale = space?.scales[id] ?? Number.NaN
      const codes = space?.codes.subarray(id * space.width, (id + 1) * space.width)
      return {
        ...{ id: `${path}#${start}`, path, title: known.title, head, line, page, text },
        input: inputOf(head, text),
        vector:
          codes && !Number.isNaN(scale) ? Float32Array.from(codes, (code) => code * scale) : null,
        ...{ date: known.date, kind: known.kind },
      }
    })
  })
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
