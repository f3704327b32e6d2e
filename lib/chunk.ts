// Long texts as passages that a model takes whole: cut where the text itself ends something, counted by its tokenizer.
import { misuse } from './errors.ts'
import { type Block, blocksOf, cutWithin } from './chunk-blocks.ts'

/** Whatever counts tokens as the model will; an `Embedder` does. */
export interface TokenCounter {
  countTokens(
    texts: readonly string[],
    options?: { signal?: AbortSignal | undefined },
  ): Promise<number[]>
}

export interface ChunkOptions {
  /**
   * How the text is written. Fences, front matter and headings with `#` are Markdown's; headings that are underlined or
   * stand between equal signs, as in wikis, are seen in both. @default 'markdown'
   */
  format?: 'markdown' | 'text' | undefined
  /** Tokens that neighbours of one section are joined up to. @default 250 */
  targetTokens?: number | undefined
  /** Tokens of `input` at most, exactly. @default 400 */
  maxTokens?: number | undefined
  /** Characters repeated where a paragraph had to be cut. @default 150 */
  overlap?: number | undefined
  /** What stands before the headings, such as the name of the file. @default the front matter's title */
  title?: string | undefined
  signal?: AbortSignal | undefined
}

export interface Chunk {
  /** `source.slice(start, end)` */
  text: string
  /** UTF-16 offsets in the source; never inside a surrogate pair. */
  start: number
  end: number
  /** Where it starts, from 1. */
  line: number
  /** Title and headings above it: `Title > Section`. '' if there are none. */
  head: string
  /** What to embed: `head` on a line of its own, then `text`. */
  input: string
  /** Of `input`, end token included. */
  tokens: number
}

/** Characters of a heading path: about 64 tokens. */
const longestHead = 200

interface Range {
  readonly start: number
  readonly end: number
  readonly head: string
}

/**
 * The passages of a text in their order. They follow sections, then paragraphs; fences stay whole where they fit. All
 * text that is not blank is in one of them, and none has more than `maxTokens`.
 *
 * @throws RangeError, TypeError for options that make no sense.
 */
export async function chunk(
  source: string,
  counter: TokenCounter,
  options: ChunkOptions = {},
): Promise<Chunk[]> {
  const {
    format = 'markdown',
    targetTokens = 250,
    maxTokens = 400,
    overlap = 150,
    signal,
  } = options
  if (typeof source !== 'string') throw misuse(TypeError, 'a string', 'source', source)
  atLeast(16, 'maxTokens', maxTokens)
  atLeast(1, 'targetTokens', targetTokens)
  atLeast(0, 'overlap', overlap)
  const count = (texts: readonly string[]) => counter.countTokens(texts, { signal })
  const blocks = blocksOf(source, format, options.title)
  const sizes = await count(blocks.map(({ start, end }) => source.slice(start, end)))
  const ranges = joined(blocks, sizes, Math.min(targetTokens, maxTokens))
  const lines = lineCounter(source)
  const chunks = await fitted(source, ranges, { count, maxTokens, overlap })
  return chunks.map((one) => ({ ...one, line: lines(one.start) }))
}

/** Neighbours of one section, together while they stay small. */
function joined(blocks: readonly Block[], sizes: readonly number[], target: number): Range[] {
  const ranges: Range[] = []
  let room = 0
  for (const [i, { start, end, path }] of blocks.entries()) {
    const head = headOf(path)
    const last = ranges.at(-1)
    if (last?.head === head && sizes[i]! <= room) {
      ranges[ranges.length - 1] = { start: last.start, end, head }
      room -= sizes[i]!
    } else {
      ranges.push({ start, end, head })
      room = target - sizes[i]!
    }
  }
  return ranges
}

function headOf(path: readonly string[]): string {
  const whole = path.filter((part) => part !== '').join(' > ')
  return whole.length <= longestHead ? whole : `${whole.slice(0, longestHead - 1)}…`
}

interface Limits {
  readonly count: (texts: readonly string[]) => Promise<number[]>
  readonly maxTokens: number
  readonly overlap: number
}

/** Ranges as chunks; one that is too long is halved until it is not. All of a round are counted in one call. */
async function fitted(
  source: string,
  ranges: readonly Range[],
  { count, maxTokens, overlap }: Limits,
): Promise<Omit<Chunk, 'line'>[]> {
  let open: Range[] = [...ranges]
  const done = new Map<Range, Omit<Chunk, 'line'>>()
  for (;;) {
    const fresh = open.filter((range) => !done.has(range))
    if (fresh.length === 0) return open.map((range) => done.get(range)!)
    const inputs = fresh.map(({ start, end, head }) => inputOf(head, source.slice(start, end)))
    const tokens = await count(inputs)
    const next = new Map<Range, Range[]>()
    for (const [i, range] of fresh.entries()) {
      const { start, end, head } = range
      const text = source.slice(start, end)
      if (tokens[i]! <= maxTokens) {
        done.set(range, { text, start, end, head, input: inputs[i]!, tokens: tokens[i]! })
      } else next.set(range, halved(source, range, overlap))
    }
    open = open.flatMap((range) => next.get(range) ?? [range])
  }
}

function inputOf(head: string, text: string): string {
  return head === '' ? text : `${head}\n${text}`
}

function halved(source: string, { start, end, head }: Range, overlap: number): Range[] {
  const length = end - start
  // A heading path that fills the passage helps nobody.
  if (head !== '' && head.length > length) return [{ start, end, head: '' }]
  if (length < 8) throw new RangeError('Expected maxTokens to hold at least a word; raise it')
  const at = cutWithin(source, start, end)
  const shared = Math.min(overlap, Math.floor(length / 6))
  const from = shared > 0 ? wordStart(source, at - shared, at) : at
  return [
    { start, end: trimmedEnd(source, start, at), head },
    { start: from, end, head },
  ]
}

/** The first beginning of a word at or after a place. */
function wordStart(source: string, from: number, to: number): number {
  const space = source.slice(from, to).search(/\s\S/)
  return space < 0 ? to : from + space + 1
}

function trimmedEnd(source: string, start: number, end: number): number {
  return start + source.slice(start, end).trimEnd().length
}

/** Lines before a place; places must be asked for in their order, give or take an overlap. */
function lineCounter(source: string): (at: number) => number {
  const starts = [0]
  for (let at = source.indexOf('\n'); at >= 0; at = source.indexOf('\n', at + 1))
    starts.push(at + 1)
  return (at) => {
    let [low, high] = [0, starts.length]
    while (low + 1 < high) {
      const middle = (low + high) >> 1
      if (starts[middle]! <= at) low = middle
      else high = middle
    }
    return low + 1
  }
}

function atLeast(least: number, name: string, value: unknown): void {
  if (Number.isInteger(value) && (value as number) >= least) return
  throw misuse(RangeError, `an integer of at least ${least}`, name, value)
}
