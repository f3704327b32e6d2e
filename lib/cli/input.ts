// Texts, from wherever the command line says: arguments, a file, or stdin; one at a time, however many there are.
import { createReadStream, fstatSync, statSync } from 'node:fs'
import { extname } from 'node:path'
import { addAbortSignal, type Readable } from 'node:stream'
import type { Arguments, Options } from './arguments.ts'
import { remark, type Session } from './command.ts'
import { Misuse } from './misuse.ts'

const layouts = ['lines', 'jsonl', 'json'] as const
type Layout = (typeof layouts)[number]

export interface Input {
  readonly texts: AsyncIterable<string>
  /** 0..1 of the whole handed out so far; undefined where its size is not known. */
  fraction(): number | undefined
}

export const inputOptions: Options = {
  input: {
    value: 'FILE',
    short: 'i',
    help: 'read texts from there: lines of a .txt, a .jsonl, or a .json array; - is stdin',
  },
  field: { value: 'NAME', help: 'where the text is in a JSON object; default: text' },
  'input-format': {
    value: 'FORMAT',
    choices: layouts,
    help: 'lines, jsonl or json; default: by name',
  },
}

export function openInput(
  args: Arguments,
  positionals: readonly string[],
  session: Session,
): Input {
  const file = args.text('input')
  if (positionals.length > 0 && file !== undefined) {
    throw new Misuse('Give texts as arguments or with --input, not both')
  }
  if (positionals.length > 0) return fromArray(positionals)
  const named = layouts.find((layout) => layout === args.text('input-format'))
  const field = args.text('field') ?? 'text'
  if (file === undefined || file === '-') {
    if (process.stdin.isTTY) remark(session, 'Reading texts, one a line; Ctrl-D ends them.')
    const stream = addAbortSignal(session.signal, process.stdin)
    return fromStream(stream, 0, named ?? 'lines', 'stdin', field)
  }
  const layout = named ?? layoutOf(file)
  const size = sizeOf(file)
  const stream = createReadStream(file, { signal: session.signal, highWaterMark: 1 << 18 })
  return fromStream(stream, size, layout, file, field)
}

/** How long a socket is waited for: programs often leave a child's stdin open and never write to it. */
const socketMs = 500

/** Whether somebody pipes texts in: a shell's pipe or file always, another program's as soon as it writes. */
export async function isPiped(): Promise<boolean> {
  const { stdin } = process
  if (stdin.isTTY) return false
  try {
    const facts = fstatSync(0)
    if (facts.isFIFO() || facts.isFile()) return true
    if (!facts.isSocket()) return false
  } catch {
    // Closed.
    return false
  }
  return new Promise((resolve) => {
    const settle = (is: boolean) => {
      clearTimeout(timer)
      stdin.off('readable', onReadable).off('end', onEnd)
      if (!is) stdin.unref()
      resolve(is)
    }
    const onReadable = () => settle(stdin.readableLength > 0)
    const onEnd = () => settle(false)
    const timer = setTimeout(settle, socketMs, false)
    stdin.on('readable', onReadable).on('end', onEnd)
  })
}

/** All of it, where the work needs all at once. */
export async function readAll(input: Input): Promise<string[]> {
  const texts: string[] = []
  for await (const text of input.texts) texts.push(text)
  return texts
}

function layoutOf(file: string): Layout {
  const ending = extname(file).toLowerCase()
  if (ending === '.json') return 'json'
  return ending === '.jsonl' || ending === '.ndjson' ? 'jsonl' : 'lines'
}

function sizeOf(file: string): number {
  const facts = statSync(file, { throwIfNoEntry: false })
  if (facts === undefined) throw new Error(`There is no file ${file}`)
  if (facts.isDirectory()) throw new Error(`${file} is a folder; --input takes a file`)
  return facts.size
}

function fromArray(texts: readonly string[]): Input {
  let handedOut = 0
  return {
    texts: (async function* () {
      for (const text of texts) {
        handedOut++
        yield text
      }
    })(),
    fraction: () => handedOut / texts.length,
  }
}

function fromStream(
  stream: Readable,
  size: number,
  layout: Layout,
  name: string,
  field: string,
): Input {
  const lines = new Lines(stream, name)
  return {
    texts: layout === 'lines' ? filled(lines.each()) : textsOf(lines, layout, name, field),
    fraction: () => (size > 0 ? Math.min(1, lines.bytes / size) : undefined),
  }
}

/** A blank line is no text. */
async function* filled(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) if (line.trim() !== '') yield line
}

async function* textsOf(lines: Lines, layout: Layout, name: string, field: string) {
  if (layout === 'json') {
    let whole = ''
    for await (const line of lines.each()) whole += `${line}\n`
    yield* itemsOf(whole, field, name)
    return
  }
  let number = 0
  for await (const line of lines.each()) {
    const place = `line ${++number} of ${name}`
    if (line.trim() !== '') yield textOf(parse(line, place), field, place)
  }
}

function* itemsOf(json: string, field: string, name: string): Generator<string> {
  const items = parse(json, name)
  if (!Array.isArray(items)) throw new Error(`${name} holds no JSON array`)
  for (const [i, item] of items.entries()) yield textOf(item, field, `item ${i} of ${name}`)
}

// Not readline: it also splits at U+2028 and U+2029, which JSON and text may hold.
class Lines {
  /** Of the lines handed out, nearly. */
  bytes = 0
  readonly #stream: Readable
  readonly #name: string

  constructor(stream: Readable, name: string) {
    this.#stream = stream
    this.#name = name
  }

  async *each(): AsyncGenerator<string> {
    const decoder = new TextDecoder('utf-8', { fatal: true })
    let rest = ''
    for await (const chunk of this.#stream as AsyncIterable<Buffer>) {
      const text = this.#decode(decoder, chunk)
      const before = this.bytes
      let from = 0
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
        const line = rest + text.slice(from, end)
        rest = ''
        from = end + 1
        this.bytes = before + chunk.length * (from / text.length)
        yield withoutReturn(line)
      }
      rest += text.slice(from)
      this.bytes = before + chunk.length
    }
    rest += this.#decode(decoder)
    if (rest !== '') yield withoutReturn(rest)
  }

  /** Vectors of a picture's bytes would look like any others. */
  #decode(decoder: InstanceType<typeof TextDecoder>, chunk?: Buffer): string {
    const isUtf16 = chunk?.[0] === 0xff && chunk[1] === 0xfe
    if (isUtf16)
      throw new Error(`${this.#name} is in UTF-16: convert it, as in iconv -f UTF-16 -t UTF-8`)
    if (chunk?.includes(0)) throw new Error(`${this.#name} holds binary data, not text`)
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined })
    } catch (cause) {
      throw new Error(
        `${this.#name} is not text in UTF-8: convert it, as in iconv -f WINDOWS-1252 -t UTF-8`,
        { cause },
      )
    }
  }
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line
}

function parse(json: string, place: string): unknown {
  try {
    return JSON.parse(json)
  } catch (cause) {
    throw new Error(`Expected JSON in ${place}: ${(cause as Error).message}`, { cause })
  }
}

function textOf(item: unknown, field: string, place: string): string {
  if (typeof item === 'string') return item
  const isObject = typeof item === 'object' && item !== null && !Array.isArray(item)
  const text = isObject ? (item as Record<string, unknown>)[field] : undefined
  if (typeof text === 'string') return text
  const has = isObject ? `; it has ${Object.keys(item).slice(0, 8).join(', ') || 'no fields'}` : ''
  throw new Error(
    `Expected a string, or an object with a string field ${JSON.stringify(field)}, in ${place}${has}. ` +
      '--field names another field',
  )
}
