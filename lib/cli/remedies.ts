// Errors of the API in the words of a command line: what went wrong as it is, what to do about it anew.
import { type Facts, Qwen3Error, type Qwen3ErrorCode } from '../index.ts'

type Remedy = (facts: Facts, command: string) => string | undefined

const remedies: Partial<Record<Qwen3ErrorCode, Remedy>> = {
  ERR_TEXT_TOO_LONG: ({ tokens }) =>
    tokens === undefined
      ? undefined
      : 'Shorten it, or use --truncate end to cut its end; --max-tokens takes longer ones.',
  ERR_MODEL_MISMATCH: ({ adapter }, command) => {
    if (adapter !== undefined) return undefined
    return command === 'rerank' ? 'Use it with search or embed.' : 'Use it with rerank.'
  },
  ERR_MODEL_UNSUPPORTED: ({ architecture, type }) => {
    if (type === 'adapter') return 'Give it as --adapter, with its model as --model.'
    return architecture === undefined ? undefined : 'Use --engine generic.'
  },
  ERR_GPU_UNAVAILABLE: ({ package: name }) =>
    name === undefined ? 'Leave out --gpu, or check the driver.' : undefined,
  ERR_OUT_OF_MEMORY: () => 'Use --max-tokens with fewer tokens, or a smaller model.',
  ERR_OFFLINE: ({ name }) =>
    `Run: qwen3-embed pull ${name} (without HF_HUB_OFFLINE), or copy the cache from a machine that has it.`,
}

/** One sentence, or two: the problem, and what to type. */
export function inShellWords(error: unknown, command = ''): string {
  const option = optionOf(error)
  if (option) return option
  if (!(error instanceof Qwen3Error)) return (error as Error | undefined)?.message ?? `${error}`
  const remedy = remedies[error.code]?.(error.facts, command) ?? error.remedy
  return remedy === '' ? error.problem : `${error.problem.replace(/\.$/, '')}. ${remedy}`
}

/** An option of the API that was refused is one of the command line with dashes. */
function optionOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('option' in error)) return undefined
  const { option, expected, received, hint = '' } = error as Error & Record<string, string>
  if (!/^[a-zA-Z]+$/.test(option!)) return undefined
  const name = option!.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  return `--${name} takes ${expected}, not ${received!.replace(/^the string /, '')}${hint}`
}
