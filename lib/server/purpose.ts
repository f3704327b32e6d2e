// Query or document? The three ways in which clients say it, as one instruction.
import type { Fields } from './fields.ts'
import { Refusal } from './refusal.ts'
import type { Served } from './served.ts'

// Cohere's and Voyage's `input_type`, and Jina's `task`, as names of prompts.
const synonyms: Readonly<Record<string, string>> = {
  search_query: 'query',
  search_document: 'document',
  'retrieval.query': 'query',
  'retrieval.passage': 'document',
}

/** @returns '' for none: the text goes in as it is, which is what Qwen3 wants of documents. */
export function readInstruction(fields: Fields, served: Served): string {
  const instruction = fields.string('instruction') ?? fields.string('instruct')
  if (instruction !== undefined) return instruction
  const given = ['prompt_name', 'input_type', 'task'].filter((name) => fields.has(name))
  if (given.length > 1) {
    throw new Refusal('invalid', `Expected one of ${given.join(' and ')} but received both`, {
      param: given[1]!,
    })
  }
  const [param] = given
  if (param === undefined) return ''
  const name = fields.string(param)!
  const prompt = served.prompts.get(synonyms[name] ?? name)
  if (prompt !== undefined) return prompt
  const names = [...served.prompts.keys()].join(', ')
  throw new Refusal(
    'invalid',
    `Expected a known prompt for ${param} but received ${JSON.stringify(name.slice(0, 60))}. Known here: ${names}. ` +
      'Any other goes into the field instruction, as a sentence.',
    { param },
  )
}
