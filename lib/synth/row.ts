/** A query made for a passage, with where both come from. */
export interface SynthRow {
  query: string
  positive: string
  positive_id: string
  instruction?: string
  source: {
    method: 'headings' | 'llm'
    document: string
    cosine?: number
    rank?: number
    p_yes?: number
    [more: string]: unknown
  }
}

/** Why rows were dropped. */
export type Reason = 'repeated' | 'near' | 'cosine' | 'roundTrip' | 'judge' | 'balance' | 'form'
