// Word, OpenDocument, PowerPoint, Excel and EPUB: XML in a zip file, of which the text and its headings are taken.
import { Parser } from 'htmlparser2'
import { type Document, Unreadable } from '../document.ts'
import { textOfHtml } from './html.ts'
import { Zip } from './zip.ts'

export function office(bytes: Uint8Array): Document {
  if (Buffer.from(bytes.subarray(0, 4)).toString('hex') === 'd0cf11e0')
    throw new Unreadable('skipped', 'encrypted, or in the format of before 2007')
  const zip = new Zip(bytes)
  const title = titleOf(zip)
  const word = zip.text('word/document.xml')
  if (word !== undefined) return { kind: 'word', text: paragraphs(word), cut: 'markdown', title }
  const slides = numbered(zip, /^ppt\/slides\/slide(\d+)\.xml$/)
  if (slides.length > 0)
    return paged(
      slides.map((name) => paragraphs(zip.text(name)!)),
      title,
    )
  if (zip.names.includes('xl/workbook.xml'))
    return { kind: 'table', text: cells(zip), cut: 'rows', title }
  const open = zip.text('content.xml')
  if (open !== undefined) return { kind: 'word', text: paragraphs(open), cut: 'markdown', title }
  if (zip.names.includes('META-INF/container.xml'))
    return { kind: 'word', text: chapters(zip), cut: 'markdown', title }
  throw new Unreadable('failed', 'not a document of its kind')
}

/** Parts whose names have a number, in its order. */
function numbered(zip: Zip, pattern: RegExp): string[] {
  const found = zip.names.flatMap((name) => {
    const number = pattern.exec(name)?.[1]
    return number === undefined ? [] : [{ name, number: Number(number) }]
  })
  return found.sort((a, b) => a.number - b.number).map(({ name }) => name)
}

function paged(parts: readonly string[], title: string): Document {
  const pages: number[] = []
  let text = ''
  for (const part of parts) {
    pages.push(text.length)
    text += `${part}\n\n`
  }
  return { kind: 'word', text, cut: 'text', title, pages }
}

function titleOf(zip: Zip): string {
  const core = zip.text('docProps/core.xml') ?? zip.text('meta.xml') ?? ''
  return (/<dc:title>([^<]*)<\/dc:title>/.exec(core)?.[1] ?? '').trim().slice(0, 200)
}

/** Of Word's, OpenDocument's and PowerPoint's XML: they differ in names only. */
function paragraphs(xml: string): string {
  const lines: string[] = []
  let line = ''
  let level = 0
  let isText = false
  let cell = 0
  const end = () => {
    const text = line.replace(/\s+/g, ' ').trim()
    if (text !== '') lines.push(level > 0 ? `${'#'.repeat(Math.min(level, 6))} ${text}` : text, '')
    line = ''
    level = 0
  }
  const parser = new Parser(
    {
      onopentag(name, attributes) {
        if (/^(?:w:t|a:t)$/.test(name)) isText = true
        else if (
          name === 'w:tab' ||
          name === 'w:br' ||
          name === 'text:tab' ||
          name === 'text:s' ||
          name === 'text:line-break'
        )
          line += ' '
        else if (name === 'w:pStyle') level = levelOf(attributes['w:val'] ?? '')
        else if (name === 'text:h' || name === 'text:p') {
          if (cell === 0) end()
          isText = true
          level = name === 'text:h' ? Number(attributes['text:outline-level'] ?? 1) || 1 : level
        } else if (name === 'w:tr' || name === 'table:table-row') {
          end()
          cell++
        }
      },
      ontext(text) {
        if (isText) line += text
      },
      onclosetag(name) {
        if (/^(?:w:t|a:t)$/.test(name)) isText = false
        else if (name === 'w:p' || name === 'a:p' || name === 'text:p' || name === 'text:h') {
          if (name.startsWith('text:')) isText = false
          if (cell > 0) line += ' | '
          else end()
        } else if (name === 'w:tr' || name === 'table:table-row') {
          cell = Math.max(0, cell - 1)
          if (cell === 0) end()
        }
      },
    },
    { xmlMode: true, decodeEntities: true },
  )
  parser.write(xml)
  parser.end()
  end()
  return lines.join('\n').trim()
}

function levelOf(style: string): number {
  if (/^(?:title|titel|titre)$/i.test(style)) return 1
  return Number(
    /^(?:heading|überschrift|berschrift|titre|titolo|encabezado|kop|rubrik)\s*(\d)$/i.exec(
      style,
    )?.[1] ?? 0,
  )
}

/** Sheets one after another, a row a line. */
function cells(zip: Zip): string {
  const shared: string[] = []
  const strings = zip.text('xl/sharedStrings.xml')
  if (strings !== undefined) each(strings, 'si', (text) => shared.push(text))
  const sheets = numbered(zip, /^xl\/worksheets\/sheet(\d+)\.xml$/)
  return sheets.map((name) => sheet(zip.text(name)!, shared)).join('\n')
}

/** The text of every element of one name. */
function each(xml: string, element: string, give: (text: string) => void): void {
  let text = ''
  let isIn = false
  let isText = false
  const parser = new Parser(
    {
      onopentagname(name) {
        if (name === element) [isIn, text] = [true, '']
        if (name === 't') isText = true
      },
      ontext(part) {
        if (isIn && isText) text += part
      },
      onclosetag(name) {
        if (name === 't') isText = false
        if (name !== element) return
        give(text)
        isIn = false
      },
    },
    { xmlMode: true, decodeEntities: true },
  )
  parser.write(xml)
  parser.end()
}

function sheet(xml: string, shared: readonly string[]): string {
  const rows: string[] = []
  let row: string[] = []
  let value = ''
  let type = ''
  let isValue = false
  const parser = new Parser(
    {
      onopentag(name, attributes) {
        if (name === 'row') row = []
        else if (name === 'c') [type, value] = [attributes.t ?? '', '']
        else if (name === 'v' || name === 't') isValue = true
      },
      ontext(part) {
        if (isValue) value += part
      },
      onclosetag(name) {
        if (name === 'v' || name === 't') isValue = false
        else if (name === 'c') row.push(type === 's' ? (shared[Number(value)] ?? '') : value)
        else if (name === 'row' && row.some((one) => one !== ''))
          rows.push(row.map((one) => one.replace(/\s+/g, ' ')).join('\t'))
      },
    },
    { xmlMode: true, decodeEntities: true },
  )
  parser.write(xml)
  parser.end()
  return rows.join('\n')
}

/** An EPUB's chapters, in the order of its spine. */
function chapters(zip: Zip): string {
  const container = zip.text('META-INF/container.xml') ?? ''
  const index = /full-path="([^"]+)"/.exec(container)?.[1] ?? ''
  const folder = index.includes('/') ? index.slice(0, index.lastIndexOf('/') + 1) : ''
  const hrefs = new Map<string, string>()
  const order: string[] = []
  const parser = new Parser(
    {
      onopentag(name, attributes) {
        if (name === 'item') hrefs.set(attributes.id ?? '', attributes.href ?? '')
        else if (name === 'itemref') order.push(attributes.idref ?? '')
      },
    },
    { xmlMode: true, decodeEntities: true },
  )
  parser.write(zip.text(index) ?? '')
  parser.end()
  const texts = order.flatMap((id) => {
    const source = zip.text(folder + decodeURI(hrefs.get(id) ?? ''))
    return source === undefined ? [] : [textOfHtml(source).text]
  })
  return texts.join('\n\n')
}
