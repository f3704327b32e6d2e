import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'

/**
 * onnxruntime by itself on the weights that transformers.js runs, asked for the last hidden state alone:
 * the fastest that a careful user gets out of it. Where it is installed and where the ONNX files lie say
 * TRANSFORMERS_JS (with onnxruntime-node beside it) and QWEN3_ONNX. All texts of a trial have one length,
 * so none is padded; they go by 32, or by 8 where they are long, its best of these.
 *
 * @param {{ trial: import('../trials.mjs').Trial, threads: number }} job
 */
export async function load({ trial, threads }) {
  const { TRANSFORMERS_JS, QWEN3_ONNX } = process.env
  if (trial.task === 'rank' || trial.instructed) throw new Error('only embeds documents')
  if (!TRANSFORMERS_JS || !QWEN3_ONNX) throw new Error('needs TRANSFORMERS_JS and QWEN3_ONNX')
  const installed = createRequire(join(TRANSFORMERS_JS, 'package.json'))
  const { AutoTokenizer, env } = installed('@huggingface/transformers')
  const ort = installed('onnxruntime-node')
  env.allowRemoteModels = false
  env.localModelPath = dirname(QWEN3_ONNX)
  const tokenizer = await AutoTokenizer.from_pretrained(basename(QWEN3_ONNX))
  const session = await ort.InferenceSession.create(join(QWEN3_ONNX, 'onnx', 'model_int8.onnx'), {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
  })
  const batch = trial.longest > 512 ? 1 : trial.longest > 64 ? 8 : 32

  const embed = async (texts) => {
    const { input_ids, attention_mask } = tokenizer(texts)
    const [n, length] = input_ids.dims
    const positions = BigInt64Array.from({ length: n * length }, (_, i) => BigInt(i % length))
    const given = {
      input_ids: new ort.Tensor('int64', input_ids.data, [n, length]),
      attention_mask: new ort.Tensor('int64', attention_mask.data, [n, length]),
      position_ids: new ort.Tensor('int64', positions, [n, length]),
    }
    const nothingKept = new ort.Tensor('float32', new Float32Array(0), [n, 8, 0, 128])
    const feeds = Object.fromEntries(
      session.inputNames.map((name) => [name, given[name] ?? nothingKept]),
    )
    const { data, dims } = (await session.run(feeds, ['last_hidden_state'])).last_hidden_state
    return Array.from({ length: n }, (_, i) => {
      const end = (i + 1) * length * dims[2]
      return normalized(data.slice(end - dims[2], end))
    })
  }
  return {
    facts: `onnxruntime-node, int8, by ${batch}`,
    run: async (texts) => {
      const rows = []
      for (let i = 0; i < texts.length; i += batch)
        rows.push(...(await embed(texts.slice(i, i + batch))))
      return rows
    },
    answers: (rows) => rows,
    tokens: (text) => tokenizer(text).input_ids.dims[1],
  }
}

function normalized(row) {
  const length = Math.hypot(...row)
  return row.map((x) => x / length)
}
