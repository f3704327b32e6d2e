import { misuse, refuseUnknown } from '../errors.ts'
import type { LoadOptions, OnProgress } from '../index.ts'

export const targetNames = ['q', 'k', 'v', 'o', 'gate', 'up', 'down'] as const
export type Target = (typeof targetNames)[number]

export interface TrainOptions {
  /** A Qwen3-Embedding or Qwen3-Reranker file: `'mini'`, a path, or a name `resolveModel` knows. */
  model: string
  /** A file of rows (`{"query", "positive", "negatives"}`, one a line), or the rows. */
  data: string | Iterable<object>
  /** Where the adapter is written: a GGUF file. What is needed to go on after a kill lies beside it meanwhile. */
  output: string
  /** A data set that says whether the adapter is better, as for `evaluate`. @default none: nobody says */
  dev?: string | undefined
  /** Another one, of another task, that shows what was forgotten. */
  guard?: string | undefined
  /** Of a reranker: the embedding model whose best documents of `dev` and `guard` it orders again. @default 'mini' */
  firstStage?: string | undefined
  /** Of a reranker: how many documents of each query it orders again when it is judged. @default 100 */
  top?: number | undefined
  /**
   * `both`: queries and documents go through the adapter, so documents have to be embedded again. `query`: documents
   * keep the model's vectors, and so does an index that exists; far cheaper, and less is gained. @default 'both'
   */
  sides?: 'both' | 'query' | undefined
  /** What queries are for, where a row does not say; `''` for none. @default Qwen's web search sentence */
  instruction?: string | undefined
  /** Rank of the adapter. @default 16 */
  rank?: number | undefined
  /** The adapter counts alpha / rank. @default twice the rank */
  alpha?: number | undefined
  /** Which products of a layer it changes. @default all */
  targets?: readonly Target[] | undefined
  /** In the last so many layers only. @default all */
  layers?: number | undefined
  /** Peak learning rate. @default 1e-4; 1e-3 for models less than 512 wide, such as `mini` */
  learningRate?: number | undefined
  /** Examples that are contrasted with each other, or pairs of a reranker. More is better and costs only time. @default 64 */
  batch?: number | undefined
  /** How often every example is seen. @default 2 */
  epochs?: number | undefined
  /** Of the softmax over cosines. @default 0.03 */
  temperature?: number | undefined
  /** What is more similar to a query than its answer by this much does not count as wrong. @default 0.1 */
  margin?: number | undefined
  /** Leading dimensions that are trained to do alone. @default the width, its half, its quarter … down to 64 */
  dims?: readonly number[] | undefined
  /** Documents of all rows that each query is contrasted with besides the batch's; of `sides: 'query'`. @default 4,096 */
  bank?: number | undefined
  /** Longest text in tokens; longer ones lose their ends. @default 512 */
  maxTokens?: number | undefined
  /** `float` in place of 8-bit products: slower, exact. @default 'int8' */
  precision?: 'int8' | 'float' | undefined
  /** Everything that is drawn depends on it alone. @default 1 */
  seed?: number | undefined
  /** Rows of a pack: memory, and part of the bits. @default 2,048 */
  budget?: number | undefined
  /** Threads; no bit depends on them. @default the physical cores */
  threads?: number | undefined
  /** Stop after so many minutes with what is best by then. @default none */
  minutes?: number | undefined
  /** Start anew where an unfinished training of this output stands. @default false */
  restart?: boolean | undefined
  /** Write the adapter though it was not shown to be better. @default false */
  keepAnyway?: boolean | undefined
  /** How the model is fetched, and loaded to be judged. */
  load?: Pick<LoadOptions, 'download'> | undefined
  /** Where `evaluate` keeps its vectors. */
  cacheDir?: string | undefined
  signal?: AbortSignal | undefined
  onProgress?: ((progress: TrainProgress) => void) | undefined
}

export type TrainProgress = Parameters<OnProgress>[0] & {
  /** Of the latest step, while training. */
  loss?: number
  norm?: number
  rowsPerSecond?: number
}

type Check = (value: unknown) => boolean
const whole =
  (low: number, high = 2 ** 31 - 1): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= low && (value as number) <= high
const above =
  (low: number, high = Number.MAX_VALUE): Check =>
  (value) =>
    typeof value === 'number' && value > low && value <= high
const isText: Check = (value) => typeof value === 'string'
const isSwitch: Check = (value) => typeof value === 'boolean'
const oneOf =
  (...choices: string[]): Check =>
  (value) =>
    choices.includes(value as string)
const anything: Check = () => true

const checks: Readonly<Record<keyof TrainOptions, readonly [string, Check]>> = {
  model: ['a string', isText],
  data: [
    'a path or rows',
    (value) => isText(value) || (typeof value === 'object' && value !== null),
  ],
  output: ['a path', (value) => isText(value) && value !== ''],
  dev: ['a data set', isText],
  guard: ['a data set', isText],
  firstStage: ['a model', isText],
  top: ['an integer of at least 1', whole(1)],
  sides: ["'both' or 'query'", oneOf('both', 'query')],
  instruction: ['a string', isText],
  rank: ['an integer from 1 to 256', whole(1, 256)],
  alpha: ['a number above 0', above(0)],
  targets: [
    `some of ${targetNames.join(', ')}`,
    (value) =>
      Array.isArray(value) && value.length > 0 && value.every((one) => targetNames.includes(one)),
  ],
  layers: ['an integer of at least 1', whole(1)],
  learningRate: ['a number above 0 and at most 1', above(0, 1)],
  batch: ['an integer from 1 to 65,536', whole(1, 65_536)],
  epochs: ['an integer from 1 to 1,000', whole(1, 1_000)],
  temperature: ['a number above 0', above(0)],
  margin: ['a number', (value) => typeof value === 'number' && !Number.isNaN(value)],
  dims: [
    'integers of at least 1',
    (value) => Array.isArray(value) && value.length > 0 && value.every(whole(1)),
  ],
  bank: ['an integer of at least 0', whole(0)],
  maxTokens: ['an integer of at least 8', whole(8)],
  precision: ["'int8' or 'float'", oneOf('int8', 'float')],
  seed: ['an integer from 0 to 4,294,967,295', whole(0, 2 ** 32 - 1)],
  budget: ['an integer from 16 to 65,536', whole(16, 65_536)],
  threads: ['an integer from 1 to 512', whole(1, 512)],
  minutes: ['a number above 0', above(0)],
  restart: ['a boolean', isSwitch],
  keepAnyway: ['a boolean', isSwitch],
  load: ['an object', anything],
  cacheDir: ['a path', isText],
  signal: ['an AbortSignal', anything],
  onProgress: ['a function', (value) => typeof value === 'function'],
}

/** @throws TypeError or RangeError before anything runs. */
export function readOptions(given: TrainOptions) {
  if (typeof given !== 'object' || given === null)
    throw misuse(TypeError, 'an object', 'options', given)
  refuseUnknown(given, Object.keys(checks), 'option')
  for (const [name, [what, check]] of Object.entries(checks)) {
    const value = given[name as keyof TrainOptions]
    const isNeeded = name === 'model' || name === 'data' || name === 'output'
    if (value === undefined ? !isNeeded : check(value)) continue
    throw misuse(
      typeof value === 'number' ? RangeError : TypeError,
      what,
      `the option ${name}`,
      value,
    )
  }
  const { sides = 'both', rank = 16 } = given
  if (given.bank !== undefined && sides === 'both') {
    throw misuse(
      TypeError,
      "none, since documents move too unless sides is 'query',",
      'the option bank',
      given.bank,
    )
  }
  return {
    ...given,
    firstStage: given.firstStage ?? 'mini',
    top: given.top ?? 100,
    sides,
    rank,
    alpha: given.alpha ?? 2 * rank,
    targets: given.targets ?? targetNames,
    layers: given.layers ?? 0,
    batch: given.batch ?? 64,
    epochs: given.epochs ?? 2,
    temperature: given.temperature ?? 0.03,
    margin: given.margin ?? 0.1,
    bank: sides === 'query' ? (given.bank ?? 4_096) : 0,
    maxTokens: given.maxTokens ?? 512,
    precision: given.precision ?? 'int8',
    seed: given.seed ?? 1,
    budget: given.budget ?? 2_048,
    threads: given.threads ?? 0,
  }
}

const ofVectors = ['sides', 'temperature', 'margin', 'dims', 'bank'] as const

/** @throws TypeError where an option has no meaning for a reranker, which has a score and no vectors. */
export function refuseForRerankers(given: TrainOptions): void {
  for (const name of ofVectors) {
    if (given[name] === undefined) continue
    throw misuse(
      TypeError,
      'none, since the model is a reranker and has no vectors,',
      `the option ${name}`,
      given[name],
    )
  }
}

export type Settings = ReturnType<typeof readOptions>

export function dimsFor(width: number, given: readonly number[] | undefined): number[] {
  if (given) {
    for (const dims of given) {
      if (dims > width) {
        throw misuse(RangeError, `at most the model's ${width}`, 'the option dims', dims)
      }
    }
    return [...given]
  }
  const dims = [width]
  while (dims.at(-1)! / 2 >= 64 && dims.at(-1)! % 2 === 0) dims.push(dims.at(-1)! / 2)
  return dims
}
