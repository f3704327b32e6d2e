// Several models, or a model and its adapters, into one file, off the JS thread and within little memory.
import { misuse, refuseUnknown } from '../errors.ts'
import { type AdapterOptions, type OnProgress, resolveModel } from '../index.ts'
import { call, type NativeMergeReport, native } from '../native.ts'
import { Meter, reporting } from '../progress.ts'

export const methods = ['slerp', 'linear', 'task', 'ties', 'multi-slerp'] as const
export type MergeMethod = (typeof methods)[number]

/** `t` of tensors whose name holds `filter`; a list is spread over the layers, first to last. */
export interface MergePoint {
  filter?: string | undefined
  t: number | readonly number[]
}

export interface MergeOptions {
  /** Files or names of one make: the first gives all that is not weights; of `task` and `ties` it is the base. */
  models: readonly string[]
  /** Adapters for one model, merged into its weights. */
  adapter?: string | AdapterOptions | readonly (string | AdapterOptions)[] | undefined
  /** Where the file is written. */
  output: string
  /** How two models or more are merged. @default 'slerp' of two, 'multi-slerp' of more */
  method?: MergeMethod | undefined
  /** Of slerp, 0 to 1: the first model to the second. The first point whose filter fits a tensor counts. @default 0.5 */
  t?: number | readonly number[] | readonly MergePoint[] | undefined
  /** Of each model, by method; of `task` and `ties` of all but the first. @default 1 */
  weights?: readonly number[] | undefined
  /** Of `task` and `ties`: how much of the change. @default 1 */
  lambda?: number | undefined
  /** Of `ties`: the part of each model's changes that is kept, the largest. @default 0.5 */
  density?: number | undefined
  /** Type of the weights: `same` as in the first model, or f32, f16, bf16, q8_0, q6_K, q5_K, q4_K, q4_0. @default 'f16' */
  to?: string | undefined
  /** Write also where quantising loses most of the change. @default false */
  lossy?: boolean | undefined
  signal?: AbortSignal | undefined
  onProgress?: OnProgress | undefined
}

export interface MergeResult extends NativeMergeReport {
  output: string
}

const known: readonly (keyof MergeOptions)[] = [
  'models',
  'adapter',
  'output',
  'method',
  't',
  'weights',
  'lambda',
  'density',
  'to',
  'lossy',
  'signal',
  'onProgress',
]

/**
 * Merges models, or adapters into a model.
 *
 * @throws Qwen3Error `ERR_MODEL_MISMATCH` for models that do not fit each other, `ERR_MODEL_UNSUPPORTED` for a type that
 * cannot be written, `ERR_COMPUTE` where quantising would lose most of the change (`facts.kept`, in percent) or the disk
 * is full, and as loading; `TypeError` and `RangeError` for wrong options; the signal's reason. The output then is as it
 * was.
 */
export async function merge(options: MergeOptions): Promise<MergeResult> {
  const settings = readOptions(options)
  const { signal, onProgress, output } = options
  signal?.throwIfAborted()
  const found = await Promise.all(
    options.models.map((name) => resolveModel(name, signal ? { signal } : {})),
  )
  const { binding, libraries } = native()
  const merger = new binding.Merger()
  const abort = () => merger.abort()
  signal?.addEventListener('abort', abort, { once: true })
  try {
    const report = await reporting(onProgress, abort, async (told) => {
      const meter = new Meter({ phase: 'merge', unit: 'steps', total: 100, file: output }, told)
      const timer = setInterval(() => meter.reach(100 * merger.done()), 200)
      try {
        const models = found.map(({ paths }) => paths[0]!)
        return await call(merger.run({ ...settings, models, output }, libraries))
      } finally {
        clearInterval(timer)
      }
    })
    return { ...report, output }
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

function readOptions(given: MergeOptions) {
  if (typeof given !== 'object' || given === null)
    throw misuse(TypeError, 'an object', 'options', given)
  refuseUnknown(given, known, 'option')
  const { models, output, adapter = [], lambda = 1, density = 0.5, to = 'f16' } = given
  const adapters = [adapter].flat().map((one) => (typeof one === 'string' ? { path: one } : one))
  if (!Array.isArray(models) || models.some((model) => typeof model !== 'string'))
    throw misuse(TypeError, 'an array of files or names', 'the option models', models)
  if (typeof output !== 'string' || output === '')
    throw misuse(TypeError, 'a path', 'the option output', output)
  const isOne = models.length === 1
  if (isOne ? adapters.length === 0 : adapters.length > 0 || models.length === 0) {
    throw misuse(
      TypeError,
      'two models or more, or one with adapters: changes of another model are none of this one,',
      'the option models',
      models,
    )
  }
  const method = given.method ?? (models.length > 2 ? 'multi-slerp' : 'slerp')
  if (!methods.includes(method))
    throw misuse(RangeError, methods.join(', '), 'the option method', method)
  if (method === 'slerp' && models.length > 2) {
    throw misuse(RangeError, 'two (multi-slerp takes more),', 'the option models', models)
  }
  const weights = given.weights ?? models.map(() => 1)
  const isBased = method === 'task' || method === 'ties'
  const all = isBased && weights.length === models.length - 1 ? [0, ...weights] : [...weights]
  if (all.length !== models.length || all.some((weight) => !Number.isFinite(weight))) {
    throw misuse(RangeError, `${models.length} finite numbers`, 'the option weights', given.weights)
  }
  if (!isBased && !isOne && !(all.reduce((sum, weight) => sum + weight, 0) > 0))
    throw misuse(RangeError, 'numbers whose sum is above 0', 'the option weights', given.weights)
  if (!Number.isFinite(lambda)) throw misuse(RangeError, 'a number', 'the option lambda', lambda)
  if (!(density >= 0 && density <= 1))
    throw misuse(RangeError, 'a number from 0 to 1', 'the option density', density)
  return {
    method,
    weights: all,
    lambda,
    density,
    to,
    lossy: given.lossy ?? false,
    points: pointsOf(given.t ?? 0.5),
    adapters: adapters.map(({ path, scale = 1, anyBase = false }) => ({ path, scale, anyBase })),
  }
}

function pointsOf(t: NonNullable<MergeOptions['t']>) {
  const isPoints = Array.isArray(t) && t.some((one) => typeof one === 'object')
  const points = (isPoints ? t : [{ t }]) as readonly MergePoint[]
  return points.map(({ filter = '', t }) => {
    const values = [t].flat() as number[]
    if (values.length === 0 || values.some((value) => !(value >= 0 && value <= 1)))
      throw misuse(RangeError, 'numbers from 0 to 1', 'the option t', t)
    return { filter, values }
  })
}
