// The fields of a request's JSON body, checked one by one. A null is what many clients send for "not given".
import { Refusal } from './refusal.ts'

export class Fields {
  readonly #body: Readonly<Record<string, unknown>>

  constructor(body: unknown) {
    if (typeof body !== 'object' || body === null || Array.isArray(body)) {
      throw new Refusal(
        'invalid',
        `Expected a JSON object as the body but received ${kindOf(body)}`,
      )
    }
    this.#body = body as Record<string, unknown>
  }

  has(name: string): boolean {
    return this.raw(name) !== undefined
  }

  raw(name: string): unknown {
    return Object.hasOwn(this.#body, name) ? (this.#body[name] ?? undefined) : undefined
  }

  required(name: string): unknown {
    const value = this.raw(name)
    if (value === undefined)
      throw new Refusal('invalid', `Expected the field ${name}`, { param: name })
    return value
  }

  string(name: string): string | undefined {
    const value = this.raw(name)
    return value === undefined || typeof value === 'string' ? value : wrong('a string', name, value)
  }

  requiredString(name: string): string {
    this.required(name)
    return this.string(name)!
  }

  boolean(name: string): boolean | undefined {
    const value = this.raw(name)
    return value === undefined || typeof value === 'boolean'
      ? value
      : wrong('a boolean', name, value)
  }

  integer(name: string, low: number, high: number): number | undefined {
    const value = this.raw(name)
    if (value === undefined) return undefined
    if (Number.isInteger(value) && (value as number) >= low && (value as number) <= high) {
      return value as number
    }
    const range = high < Number.MAX_SAFE_INTEGER ? `from ${low} to ${high}` : `of at least ${low}`
    return wrong(`an integer ${range}`, name, value)
  }

  choice<const T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.raw(name)
    if (value === undefined || choices.includes(value as T)) return value as T | undefined
    return wrong(`one of ${choices.map((choice) => `"${choice}"`).join(', ')}`, name, value)
  }

  object(name: string): Fields {
    const value = this.required(name)
    if (typeof value !== 'object' || Array.isArray(value)) return wrong('an object', name, value)
    return new Fields(value)
  }

  /** A list of strings with something in it. */
  strings(name: string): string[] {
    const list = this.list(name)
    for (const [i, item] of list.entries()) {
      if (typeof item !== 'string') wrong('a string', `${name}[${i}]`, item)
    }
    return list as string[]
  }

  list(name: string): unknown[] {
    const value = this.required(name)
    if (!Array.isArray(value)) return wrong('an array', name, value)
    if (value.length === 0) throw new Refusal('empty', `${name} cannot be empty`, { param: name })
    return value
  }
}

export function wrong(what: string, name: string, value: unknown): never {
  throw new Refusal('invalid', `Expected ${what} for ${name} but received ${kindOf(value)}`, {
    param: name.replace(/\[.*/s, ''),
  })
}

function kindOf(value: unknown): string {
  if (typeof value === 'string') return `the string ${JSON.stringify(value.slice(0, 60))}`
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return `${value}`
  if (value === undefined) return 'nothing'
  return Array.isArray(value) ? `an array of ${value.length}` : 'an object'
}
