// Query or document? The ways in which clients say it, as what goes before a text.
import type { Role } from '../index.ts'
import type { ServedEmbedder } from './models.ts'
import { RequestError } from './request-error.ts'
import { optional, string } from './schema.ts'

export interface Purpose {
  readonly role: Role | undefined
  readonly instruction: string | undefined
}

const names =
  'query, document (or search_query, search_document, passage), or a prompt of the server'

/** Fields of every route that embeds. */
export const purposeFields = {
  instruction: optional(string, 'What the text is for, in English. Goes before the others.'),
  instruct: optional(string, 'The same as instruction.'),
  prompt_name: optional(string, `TEI’s: ${names}.`),
  input_type: optional(string, `Cohere’s, Voyage’s and NIM’s: ${names}.`),
  task: optional(string, `Jina’s: retrieval.query, retrieval.passage, or a prompt of the server.`),
}

type PurposeValues = Partial<Record<keyof typeof purposeFields, string | undefined>>

// Cohere's, Voyage's and NIM's `input_type`, and Jina's `task`, as roles.
const synonyms: Readonly<Record<string, Role>> = {
  query: 'query',
  search_query: 'query',
  'retrieval.query': 'query',
  document: 'document',
  search_document: 'document',
  passage: 'document',
  'retrieval.passage': 'document',
}

/** A request that says nothing embeds documents. */
export function purposeOf(values: PurposeValues, served: ServedEmbedder): Purpose {
  const instruction = values.instruction ?? values.instruct
  if (instruction !== undefined)
    return { role: undefined, instruction: checked(instruction, served) }
  const given = (['prompt_name', 'input_type', 'task'] as const).filter((name) => values[name])
  if (given.length > 1) {
    throw new RequestError('invalid', `Expected one of ${given.join(' and ')} but received both`, {
      param: given[1]!,
    })
  }
  const [param] = given
  if (param === undefined) return { role: 'document', instruction: undefined }
  const name = values[param]!
  const role = synonyms[name]
  const prompt = served.prompts.get(role ?? name)
  if (prompt !== undefined) return { role, instruction: checked(prompt, served) }
  if (role !== undefined) return { role, instruction: undefined }
  const known = ['query', 'document', ...served.prompts.keys()]
  throw new RequestError(
    'invalid',
    `Expected a known prompt for ${param} but received ${JSON.stringify(name.slice(0, 60))}. ` +
      `Known here: ${[...new Set(known)].join(', ')}. Any other goes into the field instruction, as a sentence.`,
    { param },
  )
}

/** Not every family of models was trained with instructions. */
function checked(instruction: string, { name, model }: ServedEmbedder): string {
  const { architecture, family } = model.info
  if (instruction.trim() === '' || model.takesInstruction) return instruction
  throw new RequestError(
    'invalid',
    `${name} (${family || architecture}) takes no instruction. Leave it out, or send input_type query or document.`,
    { param: 'instruction' },
  )
}
