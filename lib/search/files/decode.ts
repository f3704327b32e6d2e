// Bytes as text, whatever wrote them.

export interface Decoded {
  readonly text: string
  readonly encoding: string
}

const looksAt = 8_192

/** Undefined for what is no text. */
export function decode(bytes: Uint8Array): Decoded | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return as('utf-16le', bytes)
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return as('utf-16be', bytes)
  const beginning = bytes.subarray(0, looksAt)
  if (beginning.includes(0)) return undefined
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return { text, encoding: 'utf-8' }
  } catch {
    return otherThanUnicode(bytes)
  }
}

function as(encoding: string, bytes: Uint8Array): Decoded {
  return { text: new TextDecoder(encoding).decode(bytes), encoding }
}

/**
 * Of encodings without a mark, the one in which most of what is not ASCII is letters that people use. Nothing, where
 * none makes sense of it.
 */
function otherThanUnicode(bytes: Uint8Array): Decoded | undefined {
  const beginning = bytes.subarray(0, looksAt * 8)
  const controls = beginning.reduce(
    (n, byte) => n + (byte < 9 || (byte > 13 && byte < 27) ? 1 : 0),
    0,
  )
  if (controls > beginning.length / 200) return undefined
  let best: { encoding: string; share: number } | undefined
  for (const encoding of [
    'shift_jis',
    'euc-jp',
    'gb18030',
    'big5',
    'euc-kr',
    'windows-1251',
    'windows-1252',
  ]) {
    const share = shareOf(encoding, beginning)
    if (share > (best?.share ?? leastShare(encoding))) best = { encoding, share }
  }
  return best ? as(best.encoding, bytes) : undefined
}

/** A third of Japanese is kana, and a fifth of Chinese its sixty most frequent letters. */
function leastShare(encoding: string): number {
  if (encoding.startsWith('windows')) return 0.5
  return encoding === 'gb18030' || encoding === 'big5' ? 0.15 : 0.3
}

function shareOf(encoding: string, bytes: Uint8Array): number {
  let text: string
  try {
    text = new TextDecoder(encoding, { fatal: true }).decode(bytes.subarray(0, wholeEnd(bytes)))
  } catch {
    return 0
  }
  const foreign = text.match(/[^\0-\x7f]/gu)
  if (!foreign) return 0
  const usual = usualOf(encoding)
  return foreign.filter((letter) => usual.test(letter)).length / foreign.length
}

/** What a text in this encoding is made of; frequent letters tell encodings of one script's size apart. */
function usualOf(encoding: string): RegExp {
  if (encoding === 'windows-1252') return /[À-ÖØ-öø-ÿ–—‘’“”•…€§©®°«»ß]/u
  if (encoding === 'windows-1251') return /[а-яё]/u
  if (encoding === 'euc-kr') return /[\p{sc=Hangul}]/u
  if (encoding === 'shift_jis' || encoding === 'euc-jp')
    return /[\p{sc=Hiragana}\u30a0-\u30ff、。]/u
  return /[的一是不了在人有我他这個个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之，。]/u
}

/** Not in the middle of a letter: after the last line end. */
function wholeEnd(bytes: Uint8Array): number {
  const at = bytes.lastIndexOf(10)
  return at > 0 ? at + 1 : bytes.length
}
