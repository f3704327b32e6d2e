/** How queries are made. */
export const methods = ['headings', 'links', 'docstrings', 'llm'] as const
export type Method = (typeof methods)[number]

/** A query made for a passage, with where both come from. */
export interface SynthRow {
  query: string
  positive: string
  positive_id: string
  instruction?: string
  source: {
    method: Method
    document: string
    cosine?: number
    rank?: number
    p_yes?: number
    [more: string]: unknown
  }
}

/** Why rows were dropped. */
export type Reason = 'repeated' | 'near' | 'cosine' | 'roundTrip' | 'judge' | 'balance' | 'form'
