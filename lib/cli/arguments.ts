import { type ParseArgsConfig, parseArgs } from 'node:util'
import { nearest } from '../nearest.ts'
import { Misuse } from './misuse.ts'

/** One option of a command, for parsing and for its help. */
export interface Option {
  /** What the value stands for (`FILE`); a switch has none. */
  readonly value?: string
  readonly short?: string
  readonly choices?: readonly string[]
  readonly help: string
}

export type Options = Readonly<Record<string, Option>>

/** The words of one command, checked. */
export class Arguments {
  readonly positionals: readonly string[]
  readonly #values: Readonly<Record<string, unknown>>

  constructor(words: readonly string[], options: Options) {
    const { values, positionals } = parse(words, options)
    this.#values = values
    this.positionals = positionals
    for (const [name, { choices }] of Object.entries(options)) {
      const value = this.text(name)
      if (choices && value !== undefined && !choices.includes(value)) {
        const meant = nearest(value, choices)
        throw new Misuse(
          `--${name} takes ${choices.join(', ')}, not ${JSON.stringify(value)}` +
            (meant ? `. Did you mean ${meant}?` : ''),
        )
      }
    }
  }

  has(name: string): boolean {
    return this.#values[name] === true
  }

  text(name: string): string | undefined {
    const value = this.#values[name]
    return typeof value === 'string' ? value : undefined
  }

  integer(name: string, low: number, high = 2 ** 31 - 1): number | undefined {
    const value = this.number(name, low, high)
    if (value === undefined || Number.isInteger(value)) return value
    throw new Misuse(`--${name} takes a whole number, not ${this.text(name)}`)
  }

  number(name: string, low: number, high = Number.MAX_VALUE): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const value = /^[\d_]*\.?\d+$/.test(text) ? Number(text.replaceAll('_', '')) : Number.NaN
    if (value >= low && value <= high) return value
    const range = high < 2 ** 31 - 1 ? `from ${low} to ${high}` : `of at least ${low}`
    throw new Misuse(`--${name} takes a number ${range}, not ${JSON.stringify(text)}`)
  }

  /** The only positional there may be. */
  single(what: string): string | undefined {
    if (this.positionals.length > 1) {
      throw new Misuse(`Expected one ${what} but received ${this.positionals.length}: quote it?`)
    }
    return this.positionals[0]
  }
}

function parse(words: readonly string[], options: Options) {
  const config: NonNullable<ParseArgsConfig['options']> = {}
  for (const [name, { value, short }] of Object.entries(options)) {
    config[name] = { type: value ? 'string' : 'boolean', ...(short ? { short } : {}) }
  }
  const args = [...words]
  const { tokens } = parseArgs({ args, options: config, strict: false, tokens: true })
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const known = options[token.name]
    if (!known || !Object.hasOwn(options, token.name)) throw unknown(token.rawName, options)
    if (known.value === undefined && token.value !== undefined) {
      throw new Misuse(`${token.rawName} is a switch and takes no value`)
    }
    const isDash = /^-[^\d]/.test(token.value ?? '') && !token.inlineValue
    if (known.value !== undefined && (token.value === undefined || isDash)) {
      throw new Misuse(
        `${token.rawName} needs a value: ${token.rawName} ${known.value}` +
          (isDash
            ? `. A value that begins with a dash is written ${token.rawName}=${token.value}`
            : ''),
      )
    }
  }
  return parseArgs({ args, options: config, allowPositionals: true, strict: false })
}

/** Those that were given: what is undefined is left to defaults. */
export function given<Values extends object>(
  values: Values,
): { [Key in keyof Values]?: NonNullable<Values[Key]> } {
  const set = Object.entries(values).filter(([, value]) => value !== undefined)
  return Object.fromEntries(set) as { [Key in keyof Values]?: NonNullable<Values[Key]> }
}

function unknown(written: string, options: Options): Misuse {
  const meant = nearest(written.replace(/^-+/, ''), Object.keys(options))
  const hint = meant ? `. Did you mean --${meant}?` : '. After -- words may begin with a dash.'
  return new Misuse(`Unknown option ${written}${hint}`)
}
