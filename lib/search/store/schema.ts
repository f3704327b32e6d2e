// The tables of an index, and opening a file of them.
import { Database } from '../../database.ts'
import { Qwen3Error } from '../../index.ts'
import { version } from '../../root.ts'

/** "qwen" in ASCII. */
const applicationId = 0x7177656e
/** Raised when the tables, the chunker or what a word is change. */
export const schemaVersion = 2

// Row ids of `lex` are those of `chunk`, whose words it holds.
const tables = `
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE root(id INTEGER PRIMARY KEY, path TEXT UNIQUE, rules TEXT, walked REAL);
CREATE TABLE file(
  id INTEGER PRIMARY KEY, root INT, path TEXT, size INT, mtime REAL, inode INT, hash BLOB, kind TEXT,
  title TEXT, date REAL, state TEXT, why TEXT, text BLOB, generation INT, UNIQUE(root, path));
CREATE INDEX file_generation ON file(generation);
CREATE INDEX file_hash ON file(hash);
CREATE TABLE chunk(
  id INTEGER PRIMARY KEY, file INT, start INT, stop INT, line INT, page INT, head TEXT, hash BLOB, words INT);
CREATE INDEX chunk_file ON chunk(file, start);
CREATE INDEX chunk_hash ON chunk(hash);
CREATE TABLE space(
  id INTEGER PRIMARY KEY, model TEXT, fingerprint TEXT, dimensions INT, settings TEXT, floor REAL, weight REAL,
  role TEXT);
CREATE TABLE vec(
  space INT, file INT, missing INT, codes BLOB, scales BLOB, PRIMARY KEY(space, file)) WITHOUT ROWID;
CREATE TABLE probe(
  space INT, hash BLOB, question BLOB, rest BLOB, PRIMARY KEY(space, hash)) WITHOUT ROWID;
CREATE TABLE gone(file INTEGER PRIMARY KEY, generation INT);
CREATE INDEX gone_generation ON gone(generation);
CREATE VIRTUAL TABLE lex USING fts5(
  head, body, content='', contentless_delete=1, tokenize='qwen3words');
`

export interface OpenedStore {
  readonly database: Database
  readonly path: string
  readonly readOnly: boolean
}

/**
 * @throws Qwen3Error `ERR_INDEX_NOT_FOUND`, `ERR_INDEX_DAMAGED`, `ERR_INDEX_VERSION`
 */
export function openStore(path: string, access: 'read' | 'write' | 'create'): OpenedStore {
  const database = new Database(path, access)
  try {
    if (isEmpty(database) && access === 'create') make(database)
    checkVersion(database, path)
    if (access !== 'read')
      database.execute('PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 67108864')
    database.execute('PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY')
    return { database, path, readOnly: access === 'read' }
  } catch (error) {
    database.close()
    throw error
  }
}

function isEmpty(database: Database): boolean {
  return database.row<[number]>('SELECT count(*) FROM sqlite_schema')![0] === 0
}

function make(database: Database): void {
  // Where the file system cannot share memory, SQLite keeps its own journal mode, and says so here.
  database.execute('PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL')
  database.transaction('immediate', () => {
    if (!isEmpty(database)) return
    database.execute(tables)
    database.execute(
      `PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${schemaVersion}`,
    )
    database.rows('INSERT INTO meta VALUES (?, ?)', 'generation', 0)
    database.rows('INSERT INTO meta VALUES (?, ?)', 'madeBy', `qwen3-embed ${version}`)
  })
}

function checkVersion(database: Database, path: string): void {
  const [id] = database.row<[number]>('PRAGMA application_id')!
  if (id !== applicationId)
    throw new Qwen3Error(
      'ERR_INDEX_DAMAGED',
      `${path} is no index of qwen3-embed.`,
      { path },
      { remedy: 'Name another file.' },
    )
  const [found] = database.row<[number]>('PRAGMA user_version')!
  if (found !== schemaVersion)
    throw new Qwen3Error(
      'ERR_INDEX_VERSION',
      `${path} is an index of version ${found}, and this release reads version ${schemaVersion}.`,
      { path, version: found, supported: schemaVersion },
      {
        remedy:
          found > schemaVersion
            ? 'Use the release that made it, or a newer one.'
            : 'Remove it and index again: the documents are not in it, only what was made of them.',
      },
    )
}
