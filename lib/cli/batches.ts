// Where one batch ends depends on the texts alone, so a resumed job makes the same batches as one that never stopped.
const mostTexts = 512
const mostChars = 16_384

export async function* batches(texts: AsyncIterable<string>): AsyncGenerator<string[]> {
  let batch: string[] = []
  let chars = 0
  for await (const text of texts) {
    batch.push(text)
    chars += text.length
    if (batch.length < mostTexts && chars < mostChars) continue
    yield batch
    batch = []
    chars = 0
  }
  if (batch.length > 0) yield batch
}
