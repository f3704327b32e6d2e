// Texts to search among: a jsonl file (BEIR's corpus.jsonl too), or what the caller holds.
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { wrongRows } from './rows.ts'

export interface CorpusText {
  id: string
  text: string
}

export async function readCorpus(
  given: string | Iterable<string | { id?: string; title?: string; text: string }>,
): Promise<CorpusText[]> {
  if (typeof given !== 'string') {
    return Array.from(given, (one, i) =>
      typeof one === 'string'
        ? { id: `${i}`, text: one }
        : { id: one.id ?? `${i}`, text: whole(one) },
    )
  }
  const texts: CorpusText[] = []
  const lines = createInterface({ input: createReadStream(given, 'utf8'), crlfDelay: Infinity })
  let number = 0
  try {
    for await (const line of lines) {
      number++
      if (line.trim() === '') continue
      const row = JSON.parse(line.replace(/^\uFEFF/, '')) as Record<string, unknown>
      const id = row._id ?? row.id ?? `${number}`
      if (typeof row.text !== 'string')
        throw wrongRows(`Expected a text in line ${number} of ${given}`, {
          file: given,
          line: number,
        })
      texts.push({ id: String(id), text: whole(row as { title?: string; text: string }) })
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT')
      throw wrongRows(`There is no file ${given}`, { file: given })
    if (cause instanceof SyntaxError)
      throw wrongRows(`Line ${number} of ${given} is not JSON`, { file: given, line: number })
    throw cause
  }
  return texts
}

/** As mteb joins them. */
function whole({ title = '', text }: { title?: string; text: string }): string {
  return `${title} ${text}`.trim()
}
