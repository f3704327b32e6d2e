// PDF: text by pages, words joined that a line end cut.
import { type Document, Unreadable } from '../document.ts'

const mostPages = 5_000

export async function pdf(bytes: Uint8Array): Promise<Document> {
  const { getDocumentProxy } = await import('unpdf')
  // Nothing of the file may run, or be fetched.
  const document = await getDocumentProxy(new Uint8Array(bytes), {
    isEvalSupported: false,
    useSystemFonts: false,
    verbosity: 0,
    stopAtErrors: false,
  }).catch((error: Error) => {
    const isLocked = error.name === 'PasswordException'
    throw new Unreadable(
      isLocked ? 'skipped' : 'failed',
      isLocked ? 'encrypted' : `no PDF that can be read: ${error.message}`,
    )
  })
  try {
    const pages: number[] = []
    let text = ''
    let empty = 0
    const count = Math.min(document.numPages, mostPages)
    for (let number = 1; number <= count; number++) {
      pages.push(text.length)
      const page = await document.getPage(number)
      const { items } = await page.getTextContent()
      const found = joined(items as Item[])
      if (found === '') empty++
      else text += `${found}\n\n`
      page.cleanup()
    }
    if (text === '') throw new Unreadable('skipped', 'scanned: its pages hold no text')
    const metadata = await document.getMetadata().catch(() => undefined)
    const title = `${(metadata?.info as { Title?: unknown } | undefined)?.Title ?? ''}`
    const missing = [
      ...(empty > 0 ? [`${empty} of ${count} pages hold no text`] : []),
      ...(count < document.numPages ? [`only its first ${count} pages`] : []),
    ]
    return {
      ...{ kind: 'pdf', text, cut: 'text', pages },
      title: /^(?:untitled|.*\.(?:docx?|tex|indd|qxd|dvi))$|^$/i.test(title.trim())
        ? ''
        : title.trim().slice(0, 200),
      remark: missing.join('; '),
    }
  } finally {
    await document.loadingTask.destroy()
  }
}

interface Item {
  str?: string
  hasEOL?: boolean
  height?: number
  transform?: number[]
}

/** Lines as they stand; a larger gap between two is a new paragraph. */
function joined(items: readonly Item[]): string {
  let text = ''
  let lastY: number | undefined
  for (const { str, hasEOL, height = 0, transform } of items) {
    if (str === undefined) continue
    const y = transform?.[5]
    if (str.trim() !== '' && y !== undefined) {
      if (
        lastY !== undefined &&
        height > 0 &&
        Math.abs(lastY - y) > 1.9 * height &&
        text.endsWith('\n')
      )
        text += '\n'
      lastY = y
    }
    text += str
    if (hasEOL) text += '\n'
  }
  return text
    .replace(/(\p{Ll})-\n(?=\p{Ll})/gu, '$1')
    .replace(/[ \t]+\n/g, '\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim()
}
