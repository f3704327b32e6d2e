import type { FileInfo } from '../index.ts'

/** Bytes for one text of so many tokens. */
export interface MemoryEstimate {
  tokens: number
  /** The file: mapped, so shared by processes and given back under pressure. */
  weights: number
  /** What a pass allocates besides. */
  activations: number
  total: number
  formula: string
}

const float = 4
/** Rows that the packed engine takes through a layer at a time, and a pass when texts are short. */
const tile = 512
const budget = 1_024

/** What llama.cpp allocates whatever the text. */
const base = 16e6

/**
 * The packed engine keeps one layer's keys and values, not a cache of all, and was within 2 % of the measured peak from
 * 2,000 tokens on. llama.cpp keeps all, and the attention scores of a whole text; its formula is fitted to a MiniLM at
 * full length and rough elsewhere.
 */
export function estimateMemory(info: FileInfo, tokens: number): MemoryEstimate {
  const { width, layers, heads, kvHeads, headSize, feedForward } = info
  const keys = kvHeads * headSize
  const queries = heads * headSize
  const isPacked = info.architecture === 'qwen3'
  const rows = Math.max(tokens, isPacked ? budget : tile)
  if (isPacked) {
    const perRow = width + 2 * keys + headSize
    const perTileRow = 2 * (queries + width) + 3 * feedForward
    const activations = float * (rows * perRow + tile * perTileRow)
    const formula =
      `4 B × (rows × (width + 2 × kvHeads × headSize + headSize) + ${tile} × (2 × (heads × headSize + width) + 3 × ` +
      `feedForward)), rows = max(tokens, ${budget})`
    return { tokens, weights: info.bytes, activations, total: info.bytes + activations, formula }
  }
  const perRow =
    2 * layers * keys + 12 * width + 2 * queries + 4 * feedForward + 1.25 * heads * rows
  const activations = base + float * rows * perRow
  const formula =
    '16 MB + 4 B × rows × (2 × layers × kvHeads × headSize + 12 × width + 2 × heads × headSize + 4 × feedForward + ' +
    `1.25 × heads × rows), rows = max(tokens, ${tile})`
  return { tokens, weights: info.bytes, activations, total: info.bytes + activations, formula }
}
