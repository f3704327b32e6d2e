// Token ids as pieces of their text: what each one spells, and where.
import type { Embedder } from '../index.ts'
import type { ServedEmbedder } from './models.ts'

/** TEI's SimpleToken. Offsets count Unicode characters; a special token stands at none. */
export interface Piece {
  id: number
  text: string
  special: boolean
  start: number | null
  stop: number | null
}

/** What one model's token ids spell, remembered: a vocabulary at most. */
export class Spelling {
  readonly #embedder: Embedder
  readonly #spelled = new Map<number, string>()
  readonly #special = new Map<number, boolean>()
  #framing: Set<number> | undefined

  constructor(embedder: Embedder) {
    this.#embedder = embedder
  }

  /** The ids that the model puts around a text. */
  async framing(): Promise<ReadonlySet<number>> {
    this.#framing ??= new Set(await this.#embedder.tokenize(''))
    return this.#framing
  }

  async pieces(ids: Int32Array, signal: AbortSignal): Promise<Piece[]> {
    const framing = await this.framing()
    await this.#learn(ids)
    const whole = await this.#embedder.detokenize(ids.filter((id) => !framing.has(id)))
    const pieces: Piece[] = []
    let place = { chars: 0, units: 0 }
    for (let i = 0; i < ids.length; ) {
      signal.throwIfAborted()
      if (framing.has(ids[i]!)) {
        pieces.push(special(ids[i]!, this.#spelled.get(ids[i]!)!))
        i++
        continue
      }
      const run = await this.#spellRun(ids, i, whole, place.units)
      const stop = place.chars + Array.from(run.text).length
      for (let k = 0; k < run.count; k++) {
        const { text, isFound } = run
        const [start, end] = isFound ? [place.chars, stop] : [null, null]
        pieces.push({ id: ids[i + k]!, text, special: false, start, stop: end })
      }
      if (run.isFound) place = { chars: stop, units: place.units + run.text.length }
      i += run.count
    }
    return pieces
  }

  /** Whether no text is ever tokenised to this id, such as an end token. */
  async isSpecial(id: number): Promise<boolean> {
    if ((await this.framing()).has(id)) return true
    const known = this.#special.get(id)
    if (known !== undefined) return known
    await this.#learn(Int32Array.of(id))
    const text = this.#spelled.get(id)!
    const looksSo = /^(<.+>|\[[A-Z]+\d*\])$/s.test(text)
    const ids = looksSo ? await this.#embedder.tokenize(text) : undefined
    const is = ids !== undefined && !ids.includes(id)
    this.#special.set(id, is)
    return is
  }

  async #learn(ids: Int32Array): Promise<void> {
    const unknown = [...new Set(ids)].filter((id) => !this.#spelled.has(id))
    for (let first = 0; first < unknown.length; first += atOnce) {
      const some = unknown.slice(first, first + atOnce)
      const texts = await Promise.all(some.map((id) => this.#embedder.detokenize([id])))
      for (const [i, id] of some.entries()) this.#spelled.set(id, texts[i]!)
    }
  }

  // Mostly one token. A character may be spread over several, which then spell it together.
  async #spellRun(ids: Int32Array, first: number, whole: string, at: number) {
    const alone = this.#spelled.get(ids[first]!)!
    if (whole.startsWith(alone, at)) return { text: alone, count: 1, isFound: true }
    for (let count = 2; count <= longestRun && first + count <= ids.length; count++) {
      const text = await this.#embedder.detokenize(ids.subarray(first, first + count))
      if (whole.startsWith(text, at)) return { text, count, isFound: true }
    }
    return { text: alone, count: 1, isFound: false }
  }
}

/** Ids that are asked for at one time, so that they do not fill the model's queue. */
const atOnce = 256

/** Tokens that one cluster of characters may be spread over. */
const longestRun = 16

function special(id: number, text: string): Piece {
  return { id, text, special: true, start: null, stop: null }
}

const spellings = new WeakMap<object, Spelling>()

export function spellingOf({ model }: ServedEmbedder): Spelling {
  const spelling = spellings.get(model) ?? new Spelling(model)
  spellings.set(model, spelling)
  return spelling
}
