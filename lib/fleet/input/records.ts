// Bytes of a record to what it says.

/** A record taken apart, or why it cannot be. */
export type Parsed = { id: string | number } & ({ text: string } | { problem: string })

/** With about how much it weighs, which decides where batches end. */
export interface Sized {
  readonly record: Parsed
  readonly bytes: number
}

export interface Fields {
  readonly text: string
  readonly id: string
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** `place` is its id where it bears none. */
export function parseRecord(bytes: Buffer, fields: Fields, place: number): Parsed {
  let record: unknown
  try {
    record = JSON.parse(utf8.decode(bytes))
  } catch (error) {
    return { id: place, problem: `Expected JSON in UTF-8: ${(error as Error).message}` }
  }
  if (typeof record === 'string') return { id: place, text: record }
  const object = (typeof record === 'object' && record !== null ? record : {}) as Record<
    string,
    unknown
  >
  return recordOf(object[fields.id], object[fields.text], fields, place)
}

/** Of values that some parser found. */
export function recordOf(given: unknown, text: unknown, fields: Fields, place: number): Parsed {
  const id =
    typeof given === 'string' || typeof given === 'number'
      ? given
      : typeof given === 'bigint'
        ? numberOf(given)
        : place
  if (typeof text === 'string') return { id, text }
  return { id, problem: `Expected a string field ${JSON.stringify(fields.text)}` }
}

function numberOf(value: bigint): string | number {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : `${value}`
}

/** `columns` are the names in the file's first line. */
export function parseCsv(
  bytes: Buffer,
  delimiter: string,
  columns: readonly string[],
  fields: Fields,
  place: number,
): Parsed {
  let values: string[]
  try {
    values = csvValues(utf8.decode(bytes), delimiter)
  } catch (error) {
    return { id: place, problem: `Expected CSV in UTF-8: ${(error as Error).message}` }
  }
  if (values.length !== columns.length) {
    const problem = `Expected ${columns.length} values as in the first line but it has ${values.length}`
    return { id: place, problem }
  }
  const at = (name: string) => values[columns.indexOf(name)]
  return recordOf(at(fields.id), at(fields.text), fields, place)
}

/** Values of one record: RFC 4180. */
export function csvValues(line: string, delimiter: string): string[] {
  const values: string[] = []
  const text = line.replace(/\r$/, '')
  for (let at = 0; ; ) {
    let value: string
    if (text[at] === '"') {
      let end = at + 1
      for (;;) {
        end = text.indexOf('"', end)
        if (end < 0) throw new Error('a quote is not closed')
        if (text[end + 1] !== '"') break
        end += 2
      }
      value = text.slice(at + 1, end).replaceAll('""', '"')
      at = end + 1
      if (at < text.length && text[at] !== delimiter)
        throw new Error(`something follows the quote that closes value ${values.length + 1}`)
    } else {
      const end = text.indexOf(delimiter, at)
      value = text.slice(at, end < 0 ? text.length : end)
      at = end < 0 ? text.length : end
    }
    values.push(value)
    if (at >= text.length) return values
    at++
    if (at === text.length) return [...values, '']
  }
}
