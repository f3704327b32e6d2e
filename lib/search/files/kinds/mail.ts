// Mail: who wrote what about, and the letter itself without the one it answers.
import PostalMime from 'postal-mime'
import type { Document } from '../document.ts'
import { textIn } from '../kinds.ts'
import { textOfHtml } from './html.ts'

const mostLetters = 10_000

export async function mail(bytes: Uint8Array, path: string): Promise<Document> {
  if (!/\.mbox$/i.test(path)) {
    const { text, title, date } = await letter(bytes)
    return { kind: 'mail', text, cut: 'text', title, ...(date !== undefined && { date }) }
  }
  const letters = textIn(bytes)
    .split(/^From .*\r?\n/m)
    .slice(1, mostLetters + 1)
  const parts: string[] = []
  for (const one of letters) {
    const { text, title } = await letter(Buffer.from(one))
    parts.push(`# ${title}\n\n${text}`)
  }
  return { kind: 'mail', text: parts.join('\n\n'), cut: 'markdown', title: '' }
}

async function letter(bytes: Uint8Array): Promise<{ text: string; title: string; date?: number }> {
  const { subject = '', from, date, text, html } = await PostalMime.parse(bytes)
  const body = text?.trim() ? text : textOfHtml(html ?? '').text
  const sent = Date.parse(date ?? '')
  const day = Number.isNaN(sent) ? '' : new Date(sent).toISOString().slice(0, 10)
  const sender = from?.name || from?.address || ''
  const title = [subject, sender, day].filter((part) => part !== '').join(' - ')
  return { text: withoutQuotes(body), title, ...(Number.isNaN(sent) ? {} : { date: sent }) }
}

/** The letter that is answered stands at the end, behind marks. */
function withoutQuotes(text: string): string {
  const lines = text.split(/\r?\n/)
  let end = lines.length
  while (end > 0 && /^\s*(?:>|$)/.test(lines[end - 1]!)) end--
  if (end < lines.length && /^(?:On|Am|Le|El|Il) .*:\s*$/.test(lines[end - 1] ?? '')) end--
  const kept = lines.slice(0, end).join('\n').trim()
  return kept === '' ? text.trim() : kept
}
