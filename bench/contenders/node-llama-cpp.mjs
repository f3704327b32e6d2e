import { getLlama } from 'node-llama-cpp'
import { defaultInstruction } from 'qwen3-embed'

/** node-llama-cpp as its guide shows it: one context with all threads. */
export const load = (job) => loadPeer(job, 1)

// The model's own template puts a space before query and document, and the library tokenises the text
// after it by itself: other tokens than Qwen's code makes. With the space in the text they are equal.
const template =
  '<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and ' +
  'the Instruct provided. Note that the answer can only be "yes" or "no".<|im_end|>\n' +
  `<|im_start|>user\n<Instruct>: ${defaultInstruction}\n<Query>:{{query}}\n` +
  '<Document>:{{document}}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n'

/**
 * batchSize stays at its default, min(contextSize, 512): at 1,024 tokens the whole context in one batch
 * took a third more time and 570 MB more, because logits of all its tokens are kept.
 *
 * @param {{ trial: import('../trials.mjs').Trial, path: string, threads: number }} job
 * @param {number} count Contexts that share the threads.
 */
export async function loadPeer({ trial, path, threads }, count) {
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    maxThreads: threads,
    logLevel: 'error',
  })
  const model = await llama.loadModel({ modelPath: path })
  // A text must be shorter than its context.
  const options = { contextSize: trial.longest + 1, threads: Math.floor(threads / count) }
  const create = () =>
    trial.task === 'rank'
      ? model.createRankingContext({ ...options, template })
      : model.createEmbeddingContext(options)
  const contexts = []
  while (contexts.length < count) contexts.push(await create())
  const each = trial.task === 'rank' ? rank(trial.query) : embed(trial.instructed)
  return {
    facts: `llama.cpp ${llama.llamaCppRelease.release}, ${count} × ${options.threads} threads`,
    run: async (texts) => {
      const shares = contexts.map((_, n) => texts.filter((_, i) => i % count === n))
      const results = await Promise.all(contexts.map((context, n) => each.run(context, shares[n])))
      return texts.map((_, i) => results[i % count][Math.floor(i / count)])
    },
    answers: (results) => results.map(each.answer),
    tokens: (text) => each.tokens(contexts[0], text),
  }
}

function embed(instructed) {
  const prefix = instructed ? `Instruct: ${defaultInstruction}\nQuery:` : ''
  return {
    run: (context, texts) =>
      Promise.all(texts.map((text) => context.getEmbeddingFor(prefix + text))),
    answer: ({ vector }) => Float32Array.from(vector),
    tokens: (context, text) => context.calculateInputLength(prefix + text),
  }
}

function rank(query) {
  return {
    run: (context, texts) =>
      context.rankAll(
        ` ${query}`,
        texts.map((text) => ` ${text}`),
      ),
    answer: (score) => score,
    tokens: (context, text) => context.calculateInputLength(` ${query}`, ` ${text}`),
  }
}
