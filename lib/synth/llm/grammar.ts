// The form of an answer as llama.cpp's grammars (GBNF) have it, from the schema that endpoints are sent.
import type { Field, Schema } from './prompts.ts'

/** Its root ends with the closing brace, after which nothing may follow. */
export function grammarOf({ properties }: Schema): string {
  const fields = Object.entries(properties)
  const members = fields.map(([name], i) => {
    const before = i === 0 ? '{' : ', '
    return `${literal(`${before}${JSON.stringify(name)}: `)} field${i}`
  })
  return [
    `root ::= ${members.join(' ')} "}"`,
    ...fields.map(([, field], i) => `field${i} ::= ${formOf(field)}`),
    // Escapes of one letter: `\u` could make half a surrogate pair, and a model has every letter itself.
    `char ::= [^"\\\\\\x00-\\x1F\\x7F] | "\\\\" ["\\\\/nt]`,
    '',
  ].join('\n')
}

/** Tokens that an answer of the form can need at most, for a vocabulary that spells every byte; the grammar ends most earlier. */
export function mostBytes({ properties }: Schema): number {
  return Object.entries(properties).reduce((sum, [name, field]) => {
    const value =
      'enum' in field
        ? Math.max(...field.enum.map((one) => Buffer.byteLength(JSON.stringify(one))))
        : 2 + 4 * field.maxLength
    return sum + Buffer.byteLength(JSON.stringify(name)) + 4 + value
  }, 2)
}

function formOf(field: Field): string {
  if ('enum' in field) return field.enum.map((one) => literal(JSON.stringify(one))).join(' | ')
  return `"\\"" char{${field.minLength},${field.maxLength}} "\\""`
}

/** Control characters are escaped by JSON already. */
const literal = (text: string) => `"${text.replace(/[\\"]/g, '\\$&')}"`
