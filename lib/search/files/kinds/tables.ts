// Rows and data: CSV and its like, JSON, YAML, TOML, notebooks.
import { type Document, Unreadable } from '../document.ts'
import { textIn } from '../kinds.ts'

export function table(bytes: Uint8Array, path: string): Document {
  const text = textIn(bytes)
  const first = text.slice(0, 4_000).split(/\r?\n/, 1)[0] ?? ''
  const hasNames = /\.(?:csv|tsv)$/i.test(path)
  return { kind: 'table', text, cut: 'rows', title: '', head: hasNames ? first.slice(0, 160) : '' }
}

/** One long line is set out, so that it can be cut and shown. */
export function data(bytes: Uint8Array, path: string): Document {
  const text = textIn(bytes)
  const isOneLine = text.length > 2_000 && !text.slice(0, 2_000).includes('\n')
  return {
    kind: 'data',
    text: isOneLine && /json$/i.test(path) ? setOut(text) : text,
    cut: 'text',
    title: '',
  }
}

function setOut(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 1)
  } catch {
    return text
  }
}

interface Notebook {
  cells?: { cell_type?: string; source?: string | string[] }[]
  metadata?: { kernelspec?: { language?: string } }
}

/** Cells in their order; what they put out is not kept. */
export function notebook(bytes: Uint8Array): Document {
  let read: Notebook
  try {
    read = JSON.parse(textIn(bytes)) as Notebook
  } catch (error) {
    if (error instanceof Unreadable) throw error
    throw new Unreadable('failed', 'a notebook that is no JSON')
  }
  const language = read.metadata?.kernelspec?.language ?? ''
  const cells = (read.cells ?? []).map(({ cell_type, source = '' }) => {
    const text = Array.isArray(source) ? source.join('') : source
    return cell_type === 'code' ? `\`\`\`${language}\n${text}\n\`\`\`` : text
  })
  return { kind: 'code', text: cells.join('\n\n'), cut: 'markdown', title: '' }
}
