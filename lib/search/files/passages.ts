// A document as passages of about a thousand characters, each with what stands above it.
import { createHash } from 'node:crypto'
import { chunk, type TokenCounter } from '../../index.ts'
import type { ReadChunk } from '../types.ts'
import { termsOf } from '../words/terms.ts'
import { cutCode } from './code.ts'
import type { Document } from './document.ts'
import { cutRows } from './rows.ts'

/** A stretch of the text. */
export interface Cut {
  readonly start: number
  readonly stop: number
  readonly head: string
}

const longestHead = 200

/**
 * Tokens as most models count them, without one: the same passages serve all models of an index. Four Latin letters,
 * or one and a third of others.
 */
const estimate: TokenCounter = {
  countTokens: (texts) => Promise.resolve(texts.map(estimated)),
}

export function estimated(text: string): number {
  let ascii = 0
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) < 0x250) ascii++
  return Math.ceil(ascii / 4 + (text.length - ascii) * 0.75)
}

/** @param path below the root */
export async function passagesOf(document: Document, path: string): Promise<ReadChunk[]> {
  const cuts = await cutsOf(document, path)
  const lineOf = counter(newlinesOf(document.text))
  const pageOf = counter(document.pages ?? [])
  const names = namesIn(path)
  return cuts.map(({ start, stop, head }) => {
    const text = document.text.slice(start, stop)
    const bodyTerms = termsOf(text)
    const headTerms = termsOf(`${head} ${names}`)
    return {
      ...{ start, stop, head, line: lineOf(start) + 1, page: document.pages ? pageOf(start) : 0 },
      hash: createHash('sha256').update(`${head}\n${text}`).digest().subarray(0, 16),
      words: bodyTerms.length + headTerms.length,
      headWords: headTerms.join(' '),
      bodyWords: bodyTerms.join(' '),
    }
  })
}

async function cutsOf(document: Document, path: string): Promise<Cut[]> {
  const { text, cut, title } = document
  if (cut === 'code') return cutCode(text, path.split('/').slice(-2).join('/'))
  if (cut === 'rows') return cutRows(text, document.head ?? title, path)
  const name = path.split('/').at(-1)!
  const format = cut === 'markdown' ? 'markdown' : 'text'
  const above = title || name.replace(/\.[^.]+$/, '')
  // A first heading that is the title need not be said twice.
  const isSaid =
    format === 'markdown' &&
    new RegExp(`^\\s*#{1,2} +${escaped(title)}\\s*$`, 'm').test(text.slice(0, 2_000))
  const options = { format, title: title && isSaid ? '' : above } as const
  const cuts: Cut[] = []
  // A page is a place to go to: no passage is on two.
  const pages = document.pages ?? [0]
  for (const [i, from] of pages.entries()) {
    const chunks = await chunk(text.slice(from, pages[i + 1]), estimate, options)
    for (const { start, end, head } of chunks)
      cuts.push({ start: from + start, stop: from + end, head: headOf(document.head, head) })
  }
  return cuts
}

function headOf(fixed: string | undefined, head: string): string {
  const whole = fixed ? (head && head !== fixed ? `${fixed} > ${head}` : fixed) : head
  return whole.length <= longestHead ? whole : `${whole.slice(0, longestHead - 1)}…`
}

/** A file and its folder, as words. */
function namesIn(path: string): string {
  return path.split('/').slice(-2).join(' ')
}

function newlinesOf(text: string): number[] {
  const ends: number[] = []
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) ends.push(at + 1)
  return ends
}

/** How many of the places, which are in order, are at or before one. */
function counter(places: readonly number[]): (at: number) => number {
  return (at) => {
    let [low, high] = [0, places.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (places[middle]! <= at) low = middle + 1
      else high = middle
    }
    return low
  }
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}
