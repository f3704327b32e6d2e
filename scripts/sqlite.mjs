// SQLite for the build: its one source file, out of the npm tarball of better-sqlite3, which carries it unchanged.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { tarball } from './tarball.mjs'

/** SQLite 3.54.1. */
const carrier = {
  name: 'better-sqlite3',
  version: '13.2.0',
  integrity:
    'sha512-Z8Q/9x/uNyKxA1v4FNodyItRVRw1TeKBrmj32JhxhR0ceNcBY+wMobt/Bv7M7TzwPAXjnZRtNaEsATnUZSKWZQ==',
}

const cache = fileURLToPath(new URL(`../.cache/sqlite-${carrier.version}/`, import.meta.url))

/** The folder of sqlite3.c and sqlite3.h. */
export function sqliteSources() {
  return join(tarball(carrier, cache), 'deps', 'sqlite3')
}
