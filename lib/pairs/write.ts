import { open, rename } from 'node:fs/promises'

/** Lines under another name first, safe on the disk before they bear the final one. */
export async function writeLines(path: string, rows: Iterable<object>): Promise<void> {
  const draft = `${path}.writing`
  const file = await open(draft, 'w')
  try {
    let some: string[] = []
    for (const row of rows) {
      if (some.push(JSON.stringify(row)) < 1_024) continue
      await file.write(`${some.join('\n')}\n`)
      some = []
    }
    if (some.length > 0) await file.write(`${some.join('\n')}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
}
