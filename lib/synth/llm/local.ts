// A chat model of this machine's, held to a grammar: a GGUF file, several answers at a time.
import { resolveModel } from '../../index.ts'
import { call, native } from '../../native.ts'
import type { Generator } from './generator.ts'
import { grammarOf, mostBytes } from './grammar.ts'

export interface LocalGenerator {
  /** A GGUF of an instruction-tuned model of the Qwen or Llama family: a path, owner/repository or https address. */
  model: string
  /** Answers that grow at a time, 1 to 16. Rows may differ by it. @default 8 */
  sequences?: number | undefined
  /** Of a prompt with its answer; of passages that are longer the beginning is told. @default 4,096, or what the model knows */
  maxTokens?: number | undefined
  /** @default the physical cores */
  threads?: number | undefined
}

/** Tokens of an answer: one that is longer is asked for again with another seed. */
const mostAnswerTokens = 320

/**
 * Loads it.
 *
 * @throws Qwen3Error `ERR_MODEL_MISMATCH` for a model that embeds or ranks, `ERR_MODEL_UNSUPPORTED` for one that does not
 * chat, and as loading; the signal's reason.
 */
export async function openLocal(
  { model, sequences = 8, maxTokens = 0, threads = 0 }: LocalGenerator,
  signal: AbortSignal | undefined,
): Promise<Generator> {
  const { paths } = await resolveModel(model, signal ? { signal } : {})
  const { binding, libraries } = native()
  const generator = new binding.Generator()
  const until = async <Result>(work: () => Promise<Result>, stop: AbortSignal | undefined) => {
    stop?.throwIfAborted()
    const abort = () => generator.abort()
    stop?.addEventListener('abort', abort, { once: true })
    try {
      return await call(work())
    } catch (error) {
      stop?.throwIfAborted()
      throw error
    } finally {
      stop?.removeEventListener('abort', abort)
    }
  }
  try {
    const options = { path: paths[0]!, threads, sequences, maxTokens }
    const { fingerprint } = await until(() => generator.load(options, libraries), signal)
    return {
      name: fingerprint,
      identity: { generator: fingerprint, sequences, maxTokens },
      // So that a place that becomes free finds a call that waits.
      concurrency: sequences + 4,
      ask: async ({ messages, schema }, seed, stop) => {
        const said = (role: string) => messages.find((message) => message.role === role)!.content
        const most = Math.min(mostAnswerTokens, mostBytes(schema))
        const answer = await until(
          () => generator.ask(said('system'), said('user'), grammarOf(schema), most, seed),
          stop,
        )
        return answer.text
      },
      close: () => generator.close(),
    }
  } catch (error) {
    await generator.close()
    throw error
  }
}
