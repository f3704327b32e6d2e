// Which words go before which side: the rules of Qwen's own evaluation for a named task, plain ones otherwise.
import { defaultInstruction } from '../index.ts'
import { type Baseline, promptOf } from './plan/baselines.ts'
import { instructionOf } from './plan/instructions.ts'
import type { Kind } from './read/dataset.ts'
import type { Remarks } from './read/remarks.ts'
import type { Prompt } from './vectors/store.ts'

export interface Prompts {
  /** What the report names. */
  instruction: string
  query: Prompt
  document: Prompt
}

export interface PromptOptions {
  task: string | undefined
  instruction: string | undefined
  /** Text before every document as it is. */
  documentPrefix: string | undefined
  isQwen3: boolean
  baseline: Baseline | undefined
}

const isRetrieval = (kind: Kind) => kind === 'retrieval' || kind === 'instructions'

export function promptsFor(kind: Kind, options: PromptOptions, remarks: Remarks): Prompts {
  const { isQwen3, baseline, documentPrefix = '' } = options
  const { instruction, both } = choose(kind, options, remarks)
  const plain: Prompt = { instruction: '', prefix: documentPrefix, role: 'document' }
  if (baseline) {
    const query: Prompt = {
      instruction: '',
      prefix: promptOf(baseline.query, instruction),
      role: 'query',
    }
    return {
      instruction,
      query,
      document: both
        ? query
        : { instruction: '', prefix: baseline.document + documentPrefix, role: 'document' },
    }
  }
  // Other architectures know nothing of Qwen's template.
  const query: Prompt = {
    instruction: isQwen3 || options.instruction !== undefined ? instruction : '',
    prefix: '',
    role: 'query',
  }
  return { instruction: query.instruction, query, document: both ? query : plain }
}

function choose(
  kind: Kind,
  { task, instruction, isQwen3, baseline }: PromptOptions,
  remarks: Remarks,
) {
  const both = !isRetrieval(kind)
  if (instruction !== undefined) return { instruction, both }
  if (task !== undefined) {
    if (kind === 'sts' || kind === 'pairs')
      return { instruction: 'Retrieve semantically similar text', both }
    const found = instructionOf(task)
    if (found) return { instruction: found.instruction, both: both || found.both }
    remarks.add('unknown-task', "tasks are not in Qwen's list of instructions", task)
    return { instruction: both ? '' : 'Retrieval relevant passage for the given query.', both }
  }
  return { instruction: !both && (isQwen3 || baseline) ? defaultInstruction : '', both }
}
