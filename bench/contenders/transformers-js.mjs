import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'

/**
 * transformers.js with its fastest weights for a CPU, `int8`. Where it is installed and where its ONNX
 * files lie (config.json, tokenizer.json, onnx/model_int8.onnx) say TRANSFORMERS_JS and QWEN3_ONNX.
 * Texts go by eight, which was its best of 1, 8 and 32; all of a trial have one length, so none is padded.
 *
 * @param {{ trial: import('../trials.mjs').Trial, threads: number }} job
 */
export async function load({ trial, threads }) {
  const { TRANSFORMERS_JS, QWEN3_ONNX } = process.env
  if (trial.task === 'rank' || trial.instructed) throw new Error('only embeds documents')
  if (!TRANSFORMERS_JS || !QWEN3_ONNX) throw new Error('needs TRANSFORMERS_JS and QWEN3_ONNX')
  const installed = createRequire(join(TRANSFORMERS_JS, 'package.json'))
  const { env, pipeline } = installed('@huggingface/transformers')
  env.allowRemoteModels = false
  env.localModelPath = dirname(QWEN3_ONNX)
  const embed = await pipeline('feature-extraction', basename(QWEN3_ONNX), {
    dtype: 'int8',
    session_options: { intraOpNumThreads: threads, interOpNumThreads: 1 },
  })
  return {
    facts: `transformers.js ${env.version}, int8, by 8`,
    run: async (texts) => {
      const rows = []
      for (let i = 0; i < texts.length; i += 8) {
        const batch = texts.slice(i, i + 8)
        const { data, dims } = await embed(batch, { pooling: 'last_token', normalize: true })
        for (let r = 0; r < batch.length; r++) rows.push(data.slice(r * dims[1], (r + 1) * dims[1]))
      }
      return rows
    },
    answers: (rows) => rows,
    tokens: (text) => embed.tokenizer(text).input_ids.dims[1],
  }
}
