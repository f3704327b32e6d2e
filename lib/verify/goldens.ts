// Published inputs and outputs of a model, in the form of a goldens file (`verify --goldens FILE`, JSON).

export interface Goldens {
  /** Which model gave them. */
  readonly model: string
  readonly kind: 'embed' | 'rerank'
  readonly checks: readonly Check[]
}

export type Check = TokensCheck | SimilarityCheck | VectorCheck | LogitCheck

interface Described {
  /** Where the numbers come from. */
  readonly source: string
  /** Goes before a text or into a pair; texts have none, pairs Qwen's default one, unless said here. */
  readonly instruction?: string
}

/** Token ids of whole sequences, with everything around the text. */
export interface TokensCheck extends Described {
  readonly check: 'tokens'
  /** A text, or a [query, document] of a reranker. */
  readonly inputs: readonly (string | readonly [query: string, document: string])[]
  /** For each input all its ids, or their number. */
  readonly expected: readonly (readonly number[] | number)[]
}

/** Cosines: (queries, documents). The instruction goes before queries only. */
export interface SimilarityCheck extends Described {
  readonly check: 'similarity'
  readonly queries: readonly string[]
  readonly documents: readonly string[]
  readonly expected: readonly (readonly number[])[]
  readonly tolerance: Tolerance
}

/** The first values of a vector. The difference is relative: |got - expected| / |expected| over these values. */
export interface VectorCheck extends Described {
  readonly check: 'vector'
  readonly text: string
  /** @default true */
  readonly normalize?: boolean
  readonly expected: readonly number[]
  readonly tolerance: Tolerance
}

/** logit(yes) - logit(no) of each document. */
export interface LogitCheck extends Described {
  readonly check: 'logit'
  readonly query: string
  readonly documents: readonly string[]
  readonly expected: readonly number[]
  readonly tolerance: Tolerance
}

/**
 * The largest difference allowed, or `order`: only the order of the values must be the same. One for all files, or one
 * for each type of weights (`F32`, `F16`, `Q8_0`, …) and `other` for the rest.
 */
export type Tolerance = Allowed | Readonly<Record<string, Allowed>>
export type Allowed = number | 'order'

export function allowed(tolerance: Tolerance, quantization: string): Allowed {
  if (typeof tolerance !== 'object') return tolerance
  return tolerance[quantization] ?? tolerance.other ?? 'order'
}

/** @throws Error that names the first thing that is not as it should be. */
export function readGoldens(json: string, name: string): Goldens {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (cause) {
    throw new Error(`${name} is no JSON: ${(cause as Error).message}`, { cause })
  }
  const goldens = record(value, name)
  if (typeof goldens.model !== 'string') throw wrong(`${name}: model`, 'a string')
  if (goldens.kind !== 'embed' && goldens.kind !== 'rerank') {
    throw wrong(`${name}: kind`, '"embed" or "rerank"')
  }
  if (!Array.isArray(goldens.checks) || goldens.checks.length === 0) {
    throw wrong(`${name}: checks`, 'an array of at least one check')
  }
  for (const [i, check] of goldens.checks.entries()) {
    readCheck(record(check, `${name}: checks[${i}]`), goldens.kind, `${name}: checks[${i}]`)
  }
  return value as Goldens
}

function readCheck(check: Record<string, unknown>, kind: string, at: string): void {
  const { source, instruction, expected } = check
  if (source !== undefined && typeof source !== 'string') throw wrong(`${at}.source`, 'a string')
  if (instruction !== undefined) string(instruction, `${at}.instruction`)
  if (check.check !== 'tokens') readTolerance(check.tolerance, `${at}.tolerance`)
  const only = check.check === 'logit' ? 'rerank' : 'embed'
  if (check.check !== 'tokens' && only !== kind) {
    throw wrong(
      `${at}.check`,
      kind === 'embed' ? 'a check of an embedding model' : '"logit" or "tokens"',
    )
  }
  switch (check.check) {
    case 'tokens': {
      const inputs = list(check.inputs, `${at}.inputs`)
      for (const input of inputs) {
        const isPair = Array.isArray(input) && input.length === 2 && input.every(isString)
        if (kind === 'embed' ? !isString(input) : !isPair) {
          throw wrong(`${at}.inputs`, kind === 'embed' ? 'texts' : '[query, document] pairs')
        }
      }
      const ids = list(expected, `${at}.expected`, inputs.length)
      for (const one of ids) if (typeof one !== 'number') numbers(one, `${at}.expected`)
      return
    }
    case 'similarity': {
      const queries = strings(check.queries, `${at}.queries`)
      const documents = strings(check.documents, `${at}.documents`)
      for (const row of list(expected, `${at}.expected`, queries.length)) {
        numbers(row, `${at}.expected`, documents.length)
      }
      return
    }
    case 'vector':
      string(check.text, `${at}.text`)
      numbers(expected, `${at}.expected`)
      return
    case 'logit':
      string(check.query, `${at}.query`)
      numbers(expected, `${at}.expected`, strings(check.documents, `${at}.documents`).length)
      return
    default:
      throw wrong(`${at}.check`, '"tokens", "similarity", "vector" or "logit"')
  }
}

function readTolerance(value: unknown, at: string): void {
  const values = typeof value === 'object' && value !== null ? Object.values(value) : [value]
  if (values.length > 0 && values.every((one) => one === 'order' || isNumber(one))) return
  throw wrong(at, 'a number, "order", or an object of those by type of weights')
}

function record(value: unknown, at: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>
  }
  throw wrong(at, 'an object')
}

function list(value: unknown, at: string, length?: number): unknown[] {
  if (Array.isArray(value) && value.length === (length ?? value.length)) return value
  throw wrong(at, length === undefined ? 'an array' : `an array of ${length}`)
}

function strings(value: unknown, at: string): string[] {
  const items = list(value, at)
  if (items.every(isString)) return items
  throw wrong(at, 'an array of strings')
}

function numbers(value: unknown, at: string, length?: number): void {
  if (!list(value, at, length).every(isNumber)) throw wrong(at, 'an array of numbers')
}

function string(value: unknown, at: string): void {
  if (!isString(value)) throw wrong(at, 'a string')
}

function isString(value: unknown): value is string {
  return typeof value === 'string'
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function wrong(at: string, what: string): Error {
  return new Error(`Expected ${what} for ${at}`)
}
