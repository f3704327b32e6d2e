// Embedded texts as bytes of an output format. Each row stands alone, so a file can be cut after any of them.
import type { EmbeddedText, Qwen3Error } from '../index.ts'
import { npyHeader } from '../npy.ts'
import { inShellWords } from './remedies.ts'
import { plain } from './terminal.ts'

export const formats = ['jsonl', 'json', 'npy', 'table'] as const
export type FormatName = (typeof formats)[number]

export interface Format {
  /** Bytes at the start of a file that holds so many rows; their number never changes. */
  head(rows: number): Uint8Array
  row(embedded: EmbeddedText, index: number): Uint8Array
  tail(rows: number): Uint8Array
}

const nothing = new Uint8Array(0)

/** `perToken`: each text has a vector for each of its tokens, one after another. */
export function formatOf(name: FormatName, width: number, perToken: boolean): Format {
  if (name === 'npy') {
    return {
      head: (rows) => npyHeader(rows, width),
      row: ({ vector, error }, index) => {
        // An array has no place for a reason, and a row of zeros would pass for a vector.
        if (error) throw failed(error, index)
        return new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength)
      },
      tail: () => nothing,
    }
  }
  const each = perToken ? width : 0
  if (name === 'table') {
    return {
      head: () => nothing,
      row: (embedded, index) =>
        Buffer.from(`${index === 0 ? tableHead : ''}${tableRow(embedded, index, each)}`),
      tail: () => nothing,
    }
  }
  if (name === 'jsonl') {
    return {
      head: () => nothing,
      row: (embedded, index) => Buffer.from(`${json(embedded, index, each)}\n`),
      tail: () => nothing,
    }
  }
  return {
    head: () => nothing,
    row: (embedded, index) =>
      Buffer.from(`${index === 0 ? '[\n' : ',\n'}${json(embedded, index, each)}`),
    tail: (rows) => Buffer.from(rows === 0 ? '[]\n' : '\n]\n'),
  }
}

/** Numbers that a row shows. */
const shownNumbers = 6
const tableHead = '    #  TOKENS  NUMBERS  THE FIRST OF THEM\n'

function tableRow(embedded: EmbeddedText, index: number, each: number): string {
  const place = `${index}`.padStart(5)
  const tokens = `${embedded.tokens}`.padStart(6)
  if (embedded.error) return `${place}  ${tokens}  ${plain(inShellWords(embedded.error))}\n`
  const { vector, cut } = embedded
  const size = each === 0 ? `${vector.length}` : `${vector.length / each}×${each}`
  const numbers = Array.from(vector.subarray(0, shownNumbers), (value) =>
    value.toFixed(4).padStart(7),
  )
  const lost = cut > 0 ? `  (${cut} tokens cut)` : ''
  return `${place}  ${tokens}  ${size.padStart(7)}  ${numbers.join(' ')} …${lost}\n`
}

function json({ vector, tokens, cut, error }: EmbeddedText, index: number, each: number): string {
  if (error) {
    const reason = { code: error.code, message: inShellWords(error) }
    return JSON.stringify({ index, tokens, error: reason })
  }
  const head = `{"index":${index},"tokens":${tokens}${cut > 0 ? `,"cut":${cut}` : ''}`
  if (each === 0) return `${head},"vector":${array(vector)}}`
  const vectors: string[] = []
  for (let at = 0; at < vector.length; at += each) {
    vectors.push(array(vector.subarray(at, at + each)))
  }
  return `${head},"vectors":[${vectors.join(',')}]}`
}

/** Nine digits give back the same float32; the double behind it would print seventeen, and more slowly. */
function array(vector: Float32Array): string {
  return `[${Array.from(vector, (value) => value.toPrecision(9)).join(',')}]`
}

function failed(error: Qwen3Error, index: number): Error {
  return new Error(
    `Text ${index}: ${inShellWords(error)} Correct it and run the same command again to go on; jsonl and json record ` +
      'failures in place instead.',
    { cause: error },
  )
}
