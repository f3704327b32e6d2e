// Runs goldens through a loaded model and says how far it is off.
import { Embedder, Reranker, similarity, type TokenOptions } from '../index.ts'
import {
  type Allowed,
  allowed,
  type Check,
  type Goldens,
  type LogitCheck,
  type SimilarityCheck,
  type TokensCheck,
  type VectorCheck,
} from './goldens.ts'

/** One value, vector or sequence of ids. */
export interface Comparison {
  readonly check: Check['check']
  readonly source: string
  readonly item: string
  readonly expected: string
  readonly got: string
  /** Undefined for ids, which are equal or not. */
  readonly difference: number | undefined
  readonly allowed: Allowed | 'equal'
  readonly passed: boolean
}

export async function compare(
  model: Embedder | Reranker,
  goldens: Goldens,
  signal?: AbortSignal,
): Promise<Comparison[]> {
  const results: Comparison[] = []
  const call = { signal }
  for (const check of goldens.checks) {
    if (check.check === 'tokens') results.push(...(await compareTokens(model, check, call)))
    else if (model instanceof Reranker) results.push(...(await compareLogits(model, check, call)))
    else if (check.check === 'vector') results.push(await compareVector(model, check, call))
    else results.push(...(await compareCosines(model, check, call)))
  }
  return results
}

type Call = { signal: AbortSignal | undefined }

async function compareTokens(model: Embedder | Reranker, check: TokensCheck, call: Call) {
  const { instruction } = check
  const options = { ...call, instruction }
  const results: Comparison[] = []
  for (const [i, input] of check.inputs.entries()) {
    const ids = await idsOf(model, input, options)
    const expected = check.expected[i]!
    const isCount = typeof expected === 'number'
    const passed = isCount
      ? ids.length === expected
      : ids.length === expected.length && expected.every((id, at) => id === ids[at])
    const at = isCount || passed ? -1 : firstDifference(expected, ids)
    results.push({
      check: 'tokens',
      source: check.source,
      item: typeof input === 'string' ? input : input.join(' × '),
      expected:
        at < 0
          ? `${isCount ? expected : expected.length} ids`
          : `#${at}: ${(expected as number[])[at]}`,
      got: at < 0 ? `${ids.length} ids` : `#${at}: ${ids[at]}`,
      difference: undefined,
      allowed: 'equal',
      passed,
    })
  }
  return results
}

function idsOf(
  model: Embedder | Reranker,
  input: string | readonly [string, string],
  options: TokenOptions,
): Promise<Int32Array> {
  if (model instanceof Embedder && typeof input === 'string') return model.tokenize(input, options)
  if (model instanceof Reranker && typeof input !== 'string') {
    return model.tokenize(...input, options)
  }
  throw new TypeError('Expected a text for an embedding model, a [query, document] for a reranker')
}

function firstDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  return at
}

async function compareCosines(model: Embedder, check: Check, call: Call): Promise<Comparison[]> {
  const {
    source,
    instruction = '',
    queries,
    documents,
    expected,
    tolerance,
  } = check as SimilarityCheck
  const [questions, vectors] = await Promise.all([
    model.embed(queries, { ...call, instruction }),
    model.embed(documents, call),
  ])
  const limit = allowed(tolerance, model.info.quantization)
  return questions.flatMap((question, row) => {
    const got = vectors.map((vector) => similarity(question, vector))
    const items = documents.map((document) => `${queries[row]} × ${document}`)
    return values('similarity', source, items, expected[row]!, got, limit)
  })
}

async function compareLogits(model: Reranker, check: Check, call: Call): Promise<Comparison[]> {
  const { source, instruction, query, documents, expected, tolerance } = check as LogitCheck
  const got = await model.score(
    documents.map((document) => [query, document]),
    { ...call, output: 'logit', instruction },
  )
  const items = documents.map((document) => `${query} × ${document}`)
  const limit = allowed(tolerance, model.info.quantization)
  return values('logit', source, items, expected, got, limit)
}

async function compareVector(model: Embedder, check: VectorCheck, call: Call): Promise<Comparison> {
  const { text, source, instruction = '', normalize = true, expected, tolerance } = check
  const [vector] = await model.embed([text], { ...call, instruction, normalize })
  const got = Array.from(vector!.subarray(0, expected.length))
  const difference =
    Math.hypot(...expected.map((value, i) => value - got[i]!)) / Math.hypot(...expected)
  const limit = allowed(tolerance, model.info.quantization)
  return {
    check: 'vector',
    source,
    item: text,
    expected: `${shown(expected[0]!)} …`,
    got: `${shown(got[0]!)} …`,
    difference,
    allowed: limit,
    passed: limit === 'order' || difference <= limit,
  }
}

function values(
  check: 'similarity' | 'logit',
  source: string,
  items: readonly string[],
  expected: readonly number[],
  got: readonly number[],
  limit: Allowed,
): Comparison[] {
  const [wantedPlaces, places] = [placesOf(expected), placesOf(got)]
  return items.map((item, i) => {
    const difference = Math.abs(got[i]! - expected[i]!)
    return {
      check,
      source,
      item,
      expected: shown(expected[i]!),
      got: shown(got[i]!),
      difference,
      allowed: limit,
      passed: limit === 'order' ? wantedPlaces[i] === places[i] : difference <= limit,
    }
  })
}

function placesOf(scores: readonly number[]): number[] {
  const order = scores.map((_, i) => i).sort((a, b) => scores[b]! - scores[a]!)
  return scores.map((_, i) => order.indexOf(i))
}

function shown(value: number): string {
  return value.toFixed(4)
}
