// One table for what a request may hold: it checks bodies, types what handlers read, and is what /openapi.json says.
import { nearest } from '../nearest.ts'
import type { Limits } from './options.ts'
import { RequestError } from './request-error.ts'

export type JsonSchema = Record<string, unknown>

/** A kind of value: how it is checked, and how it is described. */
export interface Type<T> {
  read(value: unknown, name: string): T
  describe(limits: Limits): JsonSchema
}

type TypeOf<T> = T extends Type<infer V> ? V : never

/** A field of a body. */
export interface Field<T, Required extends boolean = boolean> {
  readonly type: Type<T>
  readonly required: Required
  /** What is done with it, for the documents. */
  readonly note: string
  readonly effect: 'obeyed' | 'harmless' | 'refused'
}

export type Fields = Readonly<Record<string, Field<unknown>>>

/** The values of a body that passed its fields. */
export type Values<F extends Fields> = {
  [K in keyof F]: F[K] extends Field<infer T, infer R>
    ? R extends true
      ? T
      : T | undefined
    : never
}

export interface Body<F extends Fields = Fields> {
  readonly name: string
  readonly fields: F
}

export function body<const F extends Fields>(name: string, fields: F): Body<F> {
  return { name, fields }
}

/** Checks a body. A null is what many clients send for "not given". */
export function readBody<F extends Fields>(
  { fields }: Body<F>,
  given: unknown,
  at = '',
): Values<F> {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new RequestError(
      'invalid',
      `Expected a JSON object ${at === '' ? 'as the body' : `for ${at}`} but received ${kindOf(given)}`,
      { param: at || null },
    )
  }
  const values: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(given)) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined
    const path = at === '' ? name : `${at}.${name}`
    if (!field) throw unknownField(name, path, Object.keys(fields))
    if (value !== null && value !== undefined) values[name] = field.type.read(value, path)
  }
  for (const [name, { required }] of Object.entries(fields)) {
    if (!required || values[name] !== undefined) continue
    const path = at === '' ? name : `${at}.${name}`
    throw new RequestError('invalid', `Expected the field ${path}`, { param: path })
  }
  return values as Values<F>
}

function unknownField(name: string, path: string, known: readonly string[]): RequestError {
  const near = nearest(name, known)
  const hint = near === undefined ? `Known here: ${known.join(', ')}.` : `Did you mean ${near}?`
  return new RequestError(
    'invalid',
    `Unknown field ${JSON.stringify(path.slice(0, 80))}. ${hint}`,
    {
      param: path.slice(0, 80),
    },
  )
}

export function describeBody({ fields }: Body, limits: Limits): JsonSchema {
  const required = Object.entries(fields).flatMap(([name, one]) => (one.required ? [name] : []))
  const properties = Object.fromEntries(
    Object.entries(fields).map(([name, { type, note, effect }]) => {
      const description = effect === 'harmless' ? `Without effect: ${note}` : note
      return [name, { ...type.describe(limits), ...(description && { description }) }]
    }),
  )
  return {
    type: 'object',
    properties,
    ...(required.length > 0 && { required }),
    additionalProperties: false,
  }
}

// Fields

export function required<T>(type: Type<T>, note = ''): Field<T, true> {
  return { type, required: true, note, effect: 'obeyed' }
}

export function optional<T>(type: Type<T>, note = ''): Field<T, false> {
  return { type, required: false, note, effect: 'obeyed' }
}

/** Taken and left alone: it says nothing that would change the result. */
export function harmless(note: string): Field<unknown, false> {
  return { type: anything, required: false, note, effect: 'harmless' }
}

/** Would change the result if it were obeyed, and is not: only values that ask for nothing pass. */
export function refused(note: string, ...passing: unknown[]): Field<unknown, false> {
  const passes = [false, ...passing]
  const type: Type<unknown> = {
    read(value, name) {
      const isEmpty = Array.isArray(value) && value.length === 0
      if (isEmpty || passes.includes(value)) return undefined
      throw new RequestError('invalid', `${name} is not supported here: ${note}`, {
        param: rootOf(name),
      })
    },
    describe: () => ({ enum: [null, ...passes] }),
  }
  return { type, required: false, note: `Refused: ${note}`, effect: 'refused' }
}

// Types

const anything: Type<unknown> = { read: (value) => value, describe: () => ({}) }

export const string: Type<string> = {
  read: (value, name) => (typeof value === 'string' ? value : wrong('a string', name, value)),
  describe: () => ({ type: 'string' }),
}

/** Some deployed clients write booleans as strings. */
export const boolean: Type<boolean> = {
  read(value, name) {
    if (value === true || value === 'true') return true
    if (value === false || value === 'false') return false
    return wrong('a boolean', name, value)
  },
  describe: () => ({ enum: [true, false, 'true', 'false', null] }),
}

export function integer(low: number, high = Number.MAX_SAFE_INTEGER): Type<number> {
  const range = high < Number.MAX_SAFE_INTEGER ? `from ${low} to ${high}` : `of at least ${low}`
  return {
    read(value, name) {
      if (Number.isInteger(value) && (value as number) >= low && (value as number) <= high) {
        return value as number
      }
      return wrong(`an integer ${range}`, name, value)
    },
    describe: () => ({
      type: ['integer', 'null'],
      minimum: low,
      ...(high < Number.MAX_SAFE_INTEGER && { maximum: high }),
    }),
  }
}

export function choice<const T extends string>(...choices: readonly T[]): Type<T> {
  return {
    read(value, name) {
      if (choices.includes(value as T)) return value as T
      return wrong(`one of ${choices.map((one) => `"${one}"`).join(', ')}`, name, value)
    },
    describe: () => ({ enum: [...choices, null] }),
  }
}

/** A list with something in it. */
export function list<T>(of: Type<T>, most?: keyof Limits): Type<T[]> {
  return {
    read(value, name) {
      if (!Array.isArray(value)) return wrong('an array', name, value)
      if (value.length === 0) {
        throw new RequestError('empty', `${name} cannot be empty`, { param: rootOf(name) })
      }
      return value.map((item, i) => of.read(item, `${name}[${i}]`))
    },
    describe: (limits) => ({
      type: 'array',
      items: of.describe(limits),
      minItems: 1,
      ...(most && { maxItems: limits[most] }),
    }),
  }
}

export function record<F extends Fields>(inner: Body<F>): Type<Values<F>> {
  return {
    read: (value, name) => readBody(inner, value, name),
    describe: (limits) => describeBody(inner, limits),
  }
}

/** The first type whose shape fits. */
export function either<
  const A extends readonly [shape: (value: unknown) => boolean, type: Type<unknown>][],
>(what: string, ...types: A): Type<TypeOf<A[number][1]>> {
  return {
    read(value, name) {
      const found = types.find(([fits]) => fits(value))
      if (!found) return wrong(what, name, value)
      return found[1].read(value, name) as TypeOf<A[number][1]>
    },
    describe: (limits) => ({ anyOf: types.map(([, type]) => type.describe(limits)) }),
  }
}

export const isString = (value: unknown) => typeof value === 'string'
export const isNumber = (value: unknown) => typeof value === 'number'
export const isList = (value: unknown) => Array.isArray(value)
export const isObject = (value: unknown) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** As it came, checked by hand later. */
export function raw(schema: JsonSchema): Type<unknown> {
  return { read: (value) => value, describe: () => schema }
}

export function wrong(what: string, name: string, value: unknown): never {
  throw new RequestError('invalid', `Expected ${what} for ${name} but received ${kindOf(value)}`, {
    param: rootOf(name),
  })
}

function rootOf(name: string): string {
  return name.replace(/\[.*/s, '')
}

function kindOf(value: unknown): string {
  if (typeof value === 'string') return `the string ${JSON.stringify(value.slice(0, 60))}`
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return `${value}`
  if (value === undefined) return 'nothing'
  return Array.isArray(value) ? `an array of ${value.length}` : 'an object'
}
