import { defaultInstruction, Embedder, Reranker } from 'qwen3-embed'

/** qwen3-embed as it comes: its packed engine and its own CPU kernels. */
export const load = (job) => loadOurs(job, {})

/**
 * @param {{ trial: import('../trials.mjs').Trial, path: string, threads: number }} job
 * @param {import('qwen3-embed').LoadOptions} options
 */
export async function loadOurs({ trial, path, threads }, options) {
  const Model = trial.task === 'rank' ? Reranker : Embedder
  const model = await Model.load(path, { threads, ...options })
  const { engine, kernels, device } = model.info
  const instruction = trial.instructed ? undefined : ''
  return {
    facts: `${engine} engine, ${kernels} kernels, ${device}`,
    run: (texts) => {
      if (trial.task === 'rank') return model.rank(trial.query, texts)
      return trial.instructed || trial.oneByOne
        ? model.embedQueries(texts, { instruction })
        : model.embedDocuments(texts)
    },
    answers: (result) =>
      trial.task === 'rank'
        ? result.sort((a, b) => a.index - b.index).map(({ score }) => score)
        : result,
    tokens: async (text) => {
      if (trial.task === 'rank') return (await model.tokenize(trial.query, text)).length
      return model.countTokens(text, { instruction: trial.instructed ? defaultInstruction : '' })
    },
  }
}
