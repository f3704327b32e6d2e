// HTML as Markdown would have it: headings, paragraphs, lists; nothing that a browser would not show.
import { Parser } from 'htmlparser2'
import type { Document } from '../document.ts'
import { textIn } from '../kinds.ts'

const unseen = new Set([
  'script',
  'style',
  'noscript',
  'template',
  'svg',
  'nav',
  'iframe',
  'select',
  'head',
])
const blocks = new Set(
  'address article aside blockquote dd details div dl dt fieldset figcaption figure footer form header hr li main ol p pre section summary table tbody tfoot thead tr ul'.split(
    ' ',
  ),
)

export function html(bytes: Uint8Array): Document {
  // What a page says of its own encoding is heeded where it is not UTF-8.
  const said = /charset=["']?([\w-]+)/i.exec(
    Buffer.from(bytes.subarray(0, 2_048)).toString('latin1'),
  )?.[1]
  const { text, title } = textOfHtml(decoded(bytes, said))
  return { kind: 'html', text, cut: 'markdown', title }
}

function decoded(bytes: Uint8Array, said: string | undefined): string {
  if (said && !/^utf-?8$/i.test(said)) {
    try {
      return new TextDecoder(said).decode(bytes)
    } catch {
      // No encoding by that name.
    }
  }
  return textIn(bytes)
}

export function textOfHtml(source: string): { text: string; title: string } {
  const lines: string[] = []
  let line = ''
  let title = ''
  let hidden = 0
  let inTitle = false
  let kept = 0
  const end = () => {
    if (line.trim() !== '') lines.push(line.trim())
    line = ''
  }
  const block = () => {
    end()
    if (lines.length > 0 && lines.at(-1) !== '') lines.push('')
  }
  const parser = new Parser(
    {
      onopentagname(name) {
        if (name === 'title' && title === '') inTitle = true
        if (unseen.has(name)) hidden++
        else if (/^h[1-6]$/.test(name)) {
          block()
          line = `${'#'.repeat(Number(name[1]))} `
        } else if (name === 'li') {
          end()
          line = '- '
        } else if (name === 'br') end()
        else if (name === 'pre') {
          block()
          kept++
        } else if (name === 'td' || name === 'th') line += line.trim() === '' ? '' : ' | '
        else if (name === 'tr') end()
        else if (blocks.has(name)) block()
      },
      ontext(text) {
        if (inTitle) title += text
        else if (hidden > 0) return
        else if (kept > 0) {
          const [first = '', ...rest] = text.split('\n')
          line += first
          for (const next of rest) {
            lines.push(line.trimEnd())
            line = next
          }
        } else line += text.replace(/\s+/g, ' ')
      },
      onclosetag(name) {
        if (name === 'title') inTitle = false
        if (unseen.has(name)) hidden = Math.max(0, hidden - 1)
        else if (/^h[1-6]$/.test(name)) {
          if (/^#+\s*$/.test(line)) line = ''
          block()
        } else if (name === 'pre') {
          kept = Math.max(0, kept - 1)
          block()
        } else if (name === 'li' || name === 'tr') end()
        else if (blocks.has(name)) block()
      },
    },
    { decodeEntities: true, lowerCaseTags: true },
  )
  parser.write(source)
  parser.end()
  end()
  const text = lines.map((one) => one.replace(/[ \t\u00a0]+/g, ' ')).join('\n')
  return { text: text.trim(), title: title.replace(/\s+/g, ' ').trim().slice(0, 200) }
}
