import { linesOf } from './lines.ts'
import { type Remarks, wrongData } from './remarks.ts'

/**
 * Fields of a csv (RFC 4180: quoted fields may hold separators, doubled quotes and line ends) or tsv file (no quotes,
 * as TREC, BEIR and STS-B write them).
 */
export async function* cells(
  path: string,
  kind: 'csv' | 'tsv',
  remarks: Remarks,
): AsyncGenerator<{ fields: string[]; line: number }> {
  let number = 0
  let open = ''
  let openedAt = 0
  for await (const lines of linesOf(path, remarks)) {
    for (const line of lines) {
      number++
      if (kind === 'tsv') {
        if (line.trim() !== '') yield { fields: line.split('\t'), line: number }
        continue
      }
      if (open === '') openedAt = number
      const whole = open === '' ? line : `${open}\n${line}`
      const fields = split(whole)
      open = fields === undefined ? whole : ''
      if (fields && whole.trim() !== '') yield { fields, line: openedAt }
    }
  }
  if (open !== '') {
    throw wrongData(`A quoted field begins in line ${openedAt} of ${path} and never ends`, {
      file: path,
      line: openedAt,
    })
  }
}

/** Undefined where a quote is still open at the end. */
function split(line: string): string[] | undefined {
  if (!line.includes('"')) return line.split(',')
  const fields: string[] = []
  let from = 0
  while (from <= line.length) {
    if (line[from] !== '"') {
      const end = line.indexOf(',', from)
      fields.push(line.slice(from, end < 0 ? undefined : end))
      if (end < 0) return fields
      from = end + 1
      continue
    }
    let end = line.indexOf('"', from + 1)
    while (end >= 0 && line[end + 1] === '"') end = line.indexOf('"', end + 2)
    if (end < 0) return undefined
    fields.push(line.slice(from + 1, end).replaceAll('""', '"'))
    if (end + 1 >= line.length) return fields
    from = end + 2
  }
  fields.push('')
  return fields
}
