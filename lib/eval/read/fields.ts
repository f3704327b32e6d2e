import { wrongData } from './remarks.ts'
import type { Placed } from './rows.ts'

/** The first of these columns that a row has. */
export function fieldOf({ row }: Placed, names: readonly string[]): unknown {
  for (const name of names) if (row[name] !== undefined && row[name] !== null) return row[name]
  return undefined
}

/** @throws Qwen3Error `ERR_DATASET` naming the columns that are there. */
export function textIn(placed: Placed, names: readonly string[]): string {
  const value = fieldOf(placed, names)
  if (typeof value === 'string') return value
  if (typeof value === 'number') return `${value}`
  throw missing(placed, names, 'a text')
}

export function numberIn(placed: Placed, names: readonly string[]): number {
  const value = fieldOf(placed, names)
  const number = typeof value === 'string' && value.trim() === '' ? Number.NaN : Number(value)
  if (value !== undefined && Number.isFinite(number)) return number
  throw missing(placed, names, 'a number')
}

/** A list of texts; one text counts as a list of it. */
export function textsIn(placed: Placed, names: readonly string[]): string[] {
  const value = fieldOf(placed, names)
  const list = Array.isArray(value) ? value : [value]
  if (list.every((item) => typeof item === 'string')) return list as string[]
  throw missing(placed, names, 'texts')
}

function missing({ row, place }: Placed, names: readonly string[], what: string): Error {
  return wrongData(
    `Expected ${what} as ${names.join(' or ')} in ${place}, which has ${Object.keys(row).slice(0, 8).join(', ') || 'nothing'}`,
  )
}
